"""The fault `frozen_meter`: the meter of a site repeats one value."""

from __future__ import annotations

import numpy as np

from gridsim.api import AffectedReadings, DeviceFault, Members, Register, Settings, Tick, hookimpl


class FrozenMeter(DeviceFault[Settings]):
    """A meter whose `power_meter_measurement` keeps its value from the start of the fault.

    All devices of a site report the same meter: `of = "project"` freezes it for all of them.
    """

    kept = ("_since", "_held")

    def __init__(self, members: Members[Settings]) -> None:
        super().__init__(members)
        self._since = np.full(len(members), -1, np.int64)
        self._held = np.zeros(len(members))

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        new = self._since[member] != affected.since_ms
        self._since[member[new]] = affected.since_ms[new]
        self._held[member[new]] = affected.power_meter_measurement[new]
        affected.power_meter_measurement[:] = self._held[member]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("frozen_meter", FrozenMeter)
