"""The fault `unit_mixup`: a power in another unit than the record's."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from gridsim.api import AffectedReadings, DeviceFault, Members, Register, Settings, Tick, hookimpl

_PER_KW = {"W": 1000.0, "MW": 0.001}


class UnitMixupSettings(Settings):
    """Settings of the fault `unit_mixup`."""

    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="the field in the wrong unit"
    )
    unit: Literal["W", "MW"] = Field(
        "W", description="the unit of the value; the field `units` stays kW"
    )


class UnitMixup(DeviceFault[UnitMixupSettings]):
    """Readings that have one power in W or MW instead of kW."""

    Settings = UnitMixupSettings
    kept = ()

    def __init__(self, members: Members[UnitMixupSettings]) -> None:
        super().__init__(members)
        self._is_output = members.choose(lambda s: s.field == "current_output", bool)
        self._factor = members.choose(lambda s: _PER_KW[s.unit], np.float64)

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        output, factor = self._is_output[affected.member], self._factor[affected.member]
        affected.current_output[output] *= factor[output]
        affected.power_meter_measurement[~output] *= factor[~output]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("unit_mixup", UnitMixup)
