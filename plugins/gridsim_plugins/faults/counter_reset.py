"""The fault `counter_reset`: an energy register starts again from zero."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gridsim.api import (
    DER_REGISTERS,
    SITE_REGISTERS,
    AffectedReadings,
    DeviceFault,
    Members,
    Register,
    Settings,
    Tick,
    hookimpl,
)

_REGISTERS = (*DER_REGISTERS, *SITE_REGISTERS)


class CounterResetSettings(Settings):
    """Settings of the fault `counter_reset`."""

    der_registers: bool = Field(
        True, description="reset energy_import_kwh and energy_export_kwh of the DER"
    )
    site_registers: bool = Field(
        False, description="reset meter_import_kwh and meter_export_kwh of the site"
    )


class CounterReset(DeviceFault[CounterResetSettings]):
    """Energy registers that start again from zero, as after a restart or a change of the meter.

    The registers count from the start of the fault until its end, which gives them their true
    values again. With a `duration_s` longer than the run they stay as they are. The truth keeps
    the true registers.
    """

    Settings = CounterResetSettings
    kept = ("_since", "_base")
    measurands = _REGISTERS
    only_measurands = True

    def __init__(self, members: Members[CounterResetSettings]) -> None:
        super().__init__(members)
        self._since = np.full(len(members), np.iinfo(np.int64).min, np.int64)
        self._base = np.zeros((len(_REGISTERS), len(members)))
        """The readings at the start of the fault, kWh."""
        of_ders, of_sites = (
            members.choose(lambda s: s.der_registers, bool),
            members.choose(lambda s: s.site_registers, bool),
        )
        self._resets = {name: of_ders if name in DER_REGISTERS else of_sites for name in _REGISTERS}

    @classmethod
    def alarms(cls, settings: CounterResetSettings) -> int:
        """Return MEMORY_LOSS: a meter that starts again notices it."""
        return 1 << 14 if settings.der_registers else 0

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        new = self._since[member] != affected.since_ms
        self._since[member[new]] = affected.since_ms[new]
        for place, name in enumerate(_REGISTERS):
            column = affected.extra.get(name)
            if column is None:
                continue
            self._base[place, member[new]] = column[new]
            column -= np.where(self._resets[name][member], self._base[place, member], 0.0)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("counter_reset", CounterReset)
