"""What a simulation is made from.

The configuration makes a scenario; a shard of a simulation is a scenario of some of the
projects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Fleet, Floats, Load, Members, Roster, Settings, Sites, Stage, Weather

OnError = Literal["stop", "skip_fleet"]


@dataclass(frozen=True, slots=True, eq=False)
class FleetSpec:
    """The devices that one fleet object steps: one type and stage."""

    name: str
    """The name under which the type is registered."""
    type: type[Fleet]
    stage: Stage
    members: Members[Any]
    device: NDArray[np.intp]
    """intp[n], the members' places in the roster."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadSpec:
    """The sites that one load object serves; `members.site` says which."""

    name: str
    type: type[Load]
    members: Members[Any]


@dataclass(frozen=True, slots=True, eq=False)
class WeatherSpec:
    name: str
    type: type[Weather]
    settings: Settings


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """All projects and devices, as columns; `sites`, `baseline` and `contract_threshold` have
    one entry per project, in the order of `roster.project_id`."""

    draws: Draws
    start_ms: int
    tick_ms: int
    on_error: OnError
    roster: Roster
    sites: Sites
    baseline: Floats
    """kW; NaN: the load's own expectation."""
    contract_threshold: Floats
    """kW; zero for standalone projects."""
    report_every_ticks: NDArray[np.int64]
    """int64[devices]"""
    weather: WeatherSpec
    loads: Sequence[LoadSpec]
    """Every site is in exactly one."""
    fleets: Sequence[FleetSpec]
    """Every device is in exactly one."""
