"""The fault `counter_rollover`: an energy register starts again from zero when it is full."""

from __future__ import annotations

from typing import Annotated

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
    Unit,
    hookimpl,
)


class CounterRolloverSettings(Settings):
    """Settings of the fault `counter_rollover`."""

    capacity: Annotated[float, Unit("kWh")] = Field(
        65.536,
        ge=0.001,
        le=1e12,
        description="number of kWh after which a register starts again from zero: 65.536 is a "
        "16-bit number of Wh, 100000 a display of five digits",
    )
    der_registers: bool = Field(
        True, description="roll over energy_import_kwh and energy_export_kwh of the DER"
    )
    site_registers: bool = Field(
        False, description="roll over meter_import_kwh and meter_export_kwh of the site"
    )


class CounterRollover(DeviceFault[CounterRolloverSettings]):
    """Energy registers with too few digits, which begin again at zero when they are full.

    The truth keeps the true registers.
    """

    Settings = CounterRolloverSettings
    kept = ()
    measurands = (*DER_REGISTERS, *SITE_REGISTERS)
    only_measurands = True

    def __init__(self, members: Members[CounterRolloverSettings]) -> None:
        super().__init__(members)
        self._wh = np.maximum(np.rint(members.columns["capacity"] * 1000.0), 1.0)
        of_ders, of_sites = (
            members.choose(lambda s: s.der_registers, bool),
            members.choose(lambda s: s.site_registers, bool),
        )
        self._rolls = {
            name: of_ders if name in DER_REGISTERS else of_sites for name in self.measurands
        }

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        for name, column in affected.extra.items():
            # In whole Wh, because the remainder of a division in kWh would have rounding errors.
            rest = np.rint(column * 1000.0) % self._wh[member] / 1000.0
            column[:] = np.where(self._rolls[name][member], rest, column)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("counter_rollover", CounterRollover)
