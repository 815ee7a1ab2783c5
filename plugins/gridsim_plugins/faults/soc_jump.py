"""The fault `soc_jump`: a battery's state of charge is suddenly another."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from gridsim.api import DeviceFault, Members, Register, Settings, Struck, Tick, Unit, hookimpl


class SocJumpSettings(Settings):
    jump: Annotated[float, Unit("%")] = Field(
        -15.0, ge=-100, le=100, description="what is added to the state of charge"
    )


class SocJump(DeviceFault):
    """A battery management system that counts charge loses count, and finds it again when the
    fault ends. The state of charge stays within 0 and 100."""

    Settings = SocJumpSettings

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        self._jump = members.columns["jump"]

    def strike(self, tick: Tick, struck: Struck) -> None:
        struck.current_soc += self._jump[struck.member]
        np.clip(struck.current_soc, 0.0, 100.0, out=struck.current_soc)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("soc_jump", SocJump)
