"""The expectation: the site's expected load and the draw of its consuming DERs."""

from __future__ import annotations

from gridsim.api import Baseline, Floats, Register, Tick, hookimpl


class ExpectedLoad(Baseline):
    """The consumption that is expected at each time without demand response.

    It is the expectation of the site's own load, plus what its chargers, heat pumps and water
    heaters would draw without setpoints; batteries and generation do not count. A load named by
    `baseline = { type = ... }` stands for the whole site.
    """

    def at(self, tick: Tick) -> Floats:
        return self.expected(tick.time_ms)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("expectation", ExpectedLoad)
