"""The fault `soc_jump`: a sudden error of a battery's state of charge."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from gridsim.api import (
    AffectedReadings,
    DeviceFault,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)


class SocJumpSettings(Settings):
    """Settings of the fault `soc_jump`."""

    jump: Annotated[float, Unit("%")] = Field(
        -15.0, ge=-100, le=100, description="change of the reported state of charge"
    )


class SocJump(DeviceFault[SocJumpSettings]):
    """A battery management system that misjudges the charge until the fault ends.

    The state of charge stays within 0 and 100.
    """

    Settings = SocJumpSettings
    kept = ()

    def __init__(self, members: Members[SocJumpSettings]) -> None:
        super().__init__(members)
        self._jump = members.columns["jump"]

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        affected.current_soc += self._jump[affected.member]
        np.clip(affected.current_soc, 0.0, 100.0, out=affected.current_soc)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("soc_jump", SocJump)
