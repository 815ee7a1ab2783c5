"""The counterfactual: the consumption of the site without the event."""

from __future__ import annotations

from typing import ClassVar

from gridsim.api import Baseline, Floats, Register, Tick, hookimpl


class CounterfactualBaseline(Baseline):
    """The true baseline: the net consumption without the event, from a copy of the simulation.

    Outside events it is the net consumption itself, so the reduction is zero. If the copy for an
    event could not be made, the expectation is used instead; the log names the event.
    """

    counterfactual: ClassVar[bool] = True

    def at(self, tick: Tick) -> Floats:
        return self.expected(tick.time_ms)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("counterfactual", CounterfactualBaseline)
