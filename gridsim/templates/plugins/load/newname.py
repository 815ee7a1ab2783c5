"""The load `newname`: a shop that draws more while it is open.

Replace the model in `expected` by your own; `at` is the actual load, which varies randomly.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gridsim.api import Floats, Load, Register, Settings, Tick, Unit, hookimpl
from pydantic import Field

_HOUR_MS = 3_600_000


class NewNameSettings(Settings):
    """Settings of the load. A configuration may give a number as a distribution."""

    closed_kw: Annotated[float, Unit("kW")] = Field(0.5, ge=0, description="load while closed")
    open_kw: Annotated[float, Unit("kW")] = Field(4.0, ge=0, description="load while open")
    opens_at: Annotated[float, Unit("h")] = Field(
        8.0, ge=0, le=24, description="hour at which it opens, local time"
    )
    closes_at: Annotated[float, Unit("h")] = Field(
        20.0, ge=0, le=24, description="hour at which it closes, local time"
    )


class NewName(Load[NewNameSettings]):
    """Shops that draw more while they are open."""

    Settings = NewNameSettings

    def at(self, tick: Tick) -> Floats:
        # A draw for each site and minute; it does not depend on the other sites.
        members = self.members
        chance = members.draws.uniform("newname", members.keys, tick.time_ms // 60_000)
        return self.expected(tick.time_ms) * (0.9 + 0.2 * chance)

    def expected(self, time_ms: int) -> Floats:
        members = self.members
        local_ms = members.sites.local_ms(time_ms)[members.site]
        hour = local_ms / _HOUR_MS % 24
        column = members.columns
        is_open = (hour >= column["opens_at"]) & (hour < column["closes_at"])
        return np.where(is_open, column["open_kw"], column["closed_kw"])


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("newname", NewName)
