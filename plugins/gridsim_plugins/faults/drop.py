"""The fault `drop`: messages that get lost on the way."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Drop(MessageFault):
    """The message never leaves. With `probability = 0.01` it is one in a hundred."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.copies[:] = 0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("drop", Drop)
