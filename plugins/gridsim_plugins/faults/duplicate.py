"""The fault `duplicate`: messages that come twice."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Duplicate(MessageFault):
    """The same message leaves a second time in the same tick, after all others: what a
    transport that delivers at least once may do."""

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.copies[:] = 2


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("duplicate", Duplicate)
