"""The fault `drop`: messages that are lost."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Drop(MessageFault):
    """Messages that are never sent. `probability = 0.01` drops one in a hundred."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.copies[:] = 0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("drop", Drop)
