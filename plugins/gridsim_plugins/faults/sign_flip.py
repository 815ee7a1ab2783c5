"""The fault `sign_flip`: a current transformer that is mounted backwards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gridsim.api import AffectedReadings, DeviceFault, Members, Register, Settings, Tick, hookimpl


class SignFlipSettings(Settings):
    """Settings of the fault `sign_flip`."""

    field: Literal["current_output", "power_meter_measurement"] = Field(
        "current_output", description="the field with the wrong sign"
    )


class SignFlip(DeviceFault[SignFlipSettings]):
    """Readings that have one power with the opposite sign."""

    Settings = SignFlipSettings
    kept = ()

    def __init__(self, members: Members[SignFlipSettings]) -> None:
        super().__init__(members)
        self._is_output = members.choose(lambda s: s.field == "current_output", bool)

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        output = self._is_output[affected.member]
        affected.current_output[output] *= -1.0
        affected.power_meter_measurement[~output] *= -1.0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("sign_flip", SignFlip)
