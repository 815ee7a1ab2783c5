"""The fault `counter_reset`: an energy register starts again from zero."""

from __future__ import annotations

import numpy as np

from gridsim.api import AffectedReadings, DeviceFault, Members, Register, Tick, hookimpl
from gridsim_plugins.faults.registers import REGISTERS, RegisterFaultSettings, chosen_registers


class CounterResetSettings(RegisterFaultSettings):
    """Settings of the fault `counter_reset`."""


class CounterReset(DeviceFault[CounterResetSettings]):
    """Energy registers that start again from zero, as after a restart or a change of the meter.

    The registers count from the start of the fault until its end, which gives them their true
    values again. With a `duration_s` longer than the run they stay as they are. The truth keeps
    the true registers.
    """

    Settings = CounterResetSettings
    kept = ("_since", "_base")
    measurands = REGISTERS
    only_measurands = True

    def __init__(self, members: Members[CounterResetSettings]) -> None:
        super().__init__(members)
        self._since = np.full(len(members), np.iinfo(np.int64).min, np.int64)
        self._base = np.zeros((len(REGISTERS), len(members)))
        """The readings at the start of the fault, kWh."""
        self._resets = chosen_registers(members)

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        new = self._since[member] != affected.since_ms
        self._since[member[new]] = affected.since_ms[new]
        for place, name in enumerate(REGISTERS):
            column = affected.extra.get(name)
            if column is None:
                continue
            self._base[place, member[new]] = column[new]
            column -= np.where(self._resets[name][member], self._base[place, member], 0.0)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("counter_reset", CounterReset)
