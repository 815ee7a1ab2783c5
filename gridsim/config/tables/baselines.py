"""A project's `baseline` where it is a table with a `type`."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import Settings, Unit
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.tables.plugged import Plugged, choose
from gridsim.config.text.locate import KeyPath
from gridsim.plugins.registry import Registry
from gridsim.simulation.scenario import LikeDaysSpec

LIKE_DAYS = "like_days"


class LikeDaysSettings(Settings):
    """The mean of the last like days, as programmes compute it.

    A working day is like other working days, a Saturday or Sunday like others; days with an
    event are left out. Before the start of the run, history is what the load is expected to
    draw, without DERs: a load from a file must hold those weeks.
    """

    days: int = Field(10, ge=1, le=60, description="how many working days are averaged")
    weekend_days: int = Field(
        4, ge=1, le=30, description="how many Saturdays and Sundays are averaged"
    )
    slot_min: Annotated[Literal[5, 10, 15, 30, 60], Unit("min")] = Field(
        15, description="length of the slots of a day that are averaged"
    )
    adjustment: Annotated[float, Unit("%")] = Field(
        20.0,
        ge=0.0,
        le=100.0,
        description="by how much the day-of adjustment may raise or lower the mean, from an "
        "event's notice to its end; 0: not at all",
    )
    adjustment_h: Annotated[float, Unit("h")] = Field(
        3.0, gt=0.0, le=24.0, description="over how long consumption is compared with the mean"
    )
    adjustment_gap_h: Annotated[float, Unit("h")] = Field(
        1.0, ge=0.0, le=24.0, description="how long before the notice that ends"
    )

    def spec(self, sites: NDArray[np.intp]) -> LikeDaysSpec:
        """The same for the simulation; hours become whole slots."""
        slots_per_h = 60 / self.slot_min
        return LikeDaysSpec(
            sites=sites,
            days=self.days,
            weekend_days=self.weekend_days,
            slot_ms=self.slot_min * 60_000,
            cap=self.adjustment / 100.0,
            window_slots=max(round(self.adjustment_h * slots_per_h), 1),
            gap_slots=round(self.adjustment_gap_h * slots_per_h),
        )


def is_typed(baseline: Any) -> bool:
    """Whether it is a table that names a type, rather than a number or a distribution."""
    return isinstance(baseline, dict) and "type" in baseline


def read_baseline(
    findings: Findings, registry: Registry, table: Mapping[str, Any], path: KeyPath
) -> Plugged | LikeDaysSettings | None:
    """The load plugin or the rule that the table names; None if something was found."""
    name = table["type"]
    if name == LIKE_DAYS:
        rest = {key: value for key, value in table.items() if key != "type"}
        owner = f"the baseline {LIKE_DAYS}"
        found = validate(findings, LikeDaysSettings, rest, path, owner=owner, also=("type",))
        return None if found is None else found.settings
    names = [LIKE_DAYS, *registry.names("load")]
    if not isinstance(name, str):
        findings.add((*path, "type"), f"'type' must be the name of a baseline: {', '.join(names)}")
        return None
    if registry.find("load", name) is None:
        near = next(iter(get_close_matches(name, names, 1)), None)
        broken = any(plugin.name == name for plugin in registry.broken)
        if not broken:
            message = f"there is no baseline {name!r}: {LIKE_DAYS}, or a load's expectation"
            findings.add((*path, "type"), f"{message}: {', '.join(names[1:])}", suggestion=near)
            return None
    return choose(findings, registry, "load", table, path)
