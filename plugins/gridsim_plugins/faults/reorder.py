"""The fault `reorder`: messages that swap places with the next."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Reorder(MessageFault):
    """Messages that are sent right after the next message of the same device.

    The next message is not overtaken itself: messages swap places in pairs.
    """

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.overtaken[:] = True


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("reorder", Reorder)
