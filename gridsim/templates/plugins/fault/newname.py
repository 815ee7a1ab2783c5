"""The fault `newname`: a device that reports only a part of its output.

Replace `inject` by your own error. The configuration chooses the devices and the times. A fault of
messages derives from `MessageFault` instead.
"""

from __future__ import annotations

from typing import Annotated

from gridsim.api import (
    AffectedReadings,
    DeviceFault,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the fault. A configuration may give a number as a distribution."""

    part: Annotated[float, Unit("%")] = Field(
        50.0, ge=0, le=100, description="reported part of the output"
    )


class NewName(DeviceFault[NewNameSettings]):
    """Devices that report only a part of their output."""

    Settings = NewNameSettings

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        # The columns have a value for each member; change the readings in place.
        part = self.members.columns["part"][affected.member]
        affected.current_output *= part / 100.0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("newname", NewName)
