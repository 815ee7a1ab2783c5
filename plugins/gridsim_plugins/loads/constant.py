"""The load `constant`: for tests, and for sites that only need a meter."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from gridsim.api import (
    Floats,
    Load,
    Members,
    Register,
    Settings,
    Tick,
    TickBlock,
    Unit,
    hookimpl,
)


class ConstantSettings(Settings):
    """Settings of the load `constant`."""

    kw: Annotated[float, Unit("kW")] = Field(1.0, ge=0.0, description="the load at every time")


class ConstantLoad(Load[ConstantSettings]):
    """A load that has the same power at every time."""

    Settings = ConstantSettings
    kept = ()

    def __init__(self, members: Members[ConstantSettings]) -> None:
        super().__init__(members)
        self._kw = members.columns["kw"].copy()

    def at(self, tick: Tick) -> Floats:
        return self._kw.copy()

    def block(self, ticks: TickBlock) -> Floats:
        return np.tile(self._kw, (len(ticks), 1))

    def expected(self, time_ms: int) -> Floats:
        return self._kw.copy()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("constant", ConstantLoad)
