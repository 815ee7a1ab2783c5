"""The baseline that never changes, which a bare number or distribution selects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gridsim.api import (
    Baseline,
    Expected,
    Floats,
    Members,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)


class ConstantBaselineSettings(Settings):
    """Settings of the baseline `constant`."""

    baseline: Annotated[float, Unit("kW")] = Field(
        description="power that the site would draw without demand response"
    )


class ConstantBaseline(Baseline[ConstantBaselineSettings]):
    """The same power at every time: `baseline = 7.5` and `baseline = { uniform = [4, 9] }`."""

    Settings = ConstantBaselineSettings
    derived = ("_kw",)

    def __init__(self, members: Members[ConstantBaselineSettings], expected: Expected) -> None:
        super().__init__(members, expected)
        self._kw = members.columns["baseline"].copy()

    def at(self, tick: Tick) -> Floats:
        return self._kw.copy()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("constant", ConstantBaseline)
