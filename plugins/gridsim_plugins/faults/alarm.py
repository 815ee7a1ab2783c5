"""The fault `alarm`: a device notices a fault, raises an alarm, and stops."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gridsim.api import (
    ALARMS,
    AffectedReadings,
    DeviceFault,
    Register,
    Settings,
    Tick,
    hookimpl,
)

AlarmName = Literal[
    "ground_fault",
    "dc_over_volt",
    "ac_disconnect",
    "dc_disconnect",
    "grid_disconnect",
    "cabinet_open",
    "manual_shutdown",
    "over_temp",
    "over_frequency",
    "under_frequency",
    "ac_over_volt",
    "ac_under_volt",
    "blown_string_fuse",
    "under_temp",
    "memory_loss",
    "hw_test_failure",
    "manufacturer_alrm",
]


class AlarmSettings(Settings):
    """Settings of the fault `alarm`."""

    raises: list[AlarmName] = Field(
        ["ground_fault"],
        min_length=1,
        description="the alarms, by their names in SunSpec model 701: the measurand alarms has "
        "their bits",
    )
    stops: bool = Field(
        True,
        description="true: the device stops, neither feeds nor draws, and its state is FAULT or "
        "Faulted; false: it only reports the alarms",
    )


class Alarm(DeviceFault[AlarmSettings]):
    """Devices that raise alarms and stop. The stop is true, not only reported."""

    Settings = AlarmSettings

    @classmethod
    def stops(cls, settings: AlarmSettings) -> bool:
        return settings.stops

    @classmethod
    def alarms(cls, settings: AlarmSettings) -> int:
        bits = {name.lower(): bit for bit, name in ALARMS.names.items()}
        return sum(1 << bits[name] for name in dict.fromkeys(settings.raises))

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        """Leave the readings as they are: they are true."""


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("alarm", Alarm)
