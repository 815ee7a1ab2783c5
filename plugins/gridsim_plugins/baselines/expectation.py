"""The baseline that a load plugin expects: of the site's own load, or of another one."""

from __future__ import annotations

from gridsim.api import Baseline, Floats, Register, Tick, hookimpl


class ExpectedLoad(Baseline):
    """The load that the load plugin expects at each time.

    It is that of the site's own load, or the load that `baseline = { type = ... }` names.
    """

    def at(self, tick: Tick) -> Floats:
        return self.expected(tick.time_ms)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("expectation", ExpectedLoad)
