"""The fault `reorder`: messages that are overtaken by the next."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Reorder(MessageFault):
    """The message leaves right after the device's next one. The next one is not overtaken
    itself: messages swap places in pairs."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.overtaken[:] = True


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("reorder", Reorder)
