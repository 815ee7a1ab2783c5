"""The fault `duplicate`: messages that are sent twice."""

from __future__ import annotations

from gridsim.api import MessageEffects, MessageFault, Register, Tick, hookimpl


class Duplicate(MessageFault):
    """Messages that are sent again in the same tick, after all others.

    A transport that delivers at least once may do so.
    """

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.copies[:] = 2


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("duplicate", Duplicate)
