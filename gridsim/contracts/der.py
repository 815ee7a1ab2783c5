"""DER types: a fleet steps all devices of a type at once, as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import DerSettings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats

Stage = Literal["free", "flexible"]


@dataclass(frozen=True, slots=True, eq=False)
class Capability:
    """What each device can do over the coming tick: float64[n], kW, min_kw <= 0 <= max_kw."""

    min_kw: Floats
    max_kw: Floats
    preferred_kw: Floats | None = None
    """What each device would do by itself, as far as it can tell; None: rest at zero. A
    dispatcher starts from there: a solar array produces, a car charges."""


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """What is asked of each device of a fleet for one tick: float64[n], kW.

    A setpoint is a wish that replaces the device's strategy; what guards the device (comfort,
    reserve, departure) may stand above it. A limit is a bound: neither strategy nor guard nor
    setpoint leads beyond it. Both are reached in the device's own time (dead time, ramp).
    """

    setpoint_kw: Floats
    """NaN where nothing is asked: the device then follows its own strategy."""
    balance_kw: Floats
    """A flexible device's share of what would bring its site's net consumption to zero;
    positive where the site draws. Zero for fleets of the stage `free`."""
    min_kw: Floats | None = None
    """The least output allowed, -inf where there is no limit; None: nowhere one."""
    max_kw: Floats | None = None
    """The most output allowed, inf where there is no limit; None: nowhere one."""

    def within(self, power: Floats) -> Floats:
        """`power`, float64[n] kW, held within the limits; the same array if there are none."""
        if self.min_kw is not None:
            power = np.maximum(power, self.min_kw)
        if self.max_kw is not None:
            power = np.minimum(power, self.max_kw)
        return power


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry:
    """What a fleet reports for one tick."""

    current_output: Floats
    """float64[n], kW over the tick; positive feeds the site, negative draws from it."""
    current_soc: Floats | None = None
    """float64[n], % at the start of the tick; NaN, or None for all, where there is no storage."""
    extra: Mapping[str, Floats] = field(default_factory=dict)
    """The columns that the type declares, float64[n]."""


class Fleet(Stateful, ABC):
    """The contract of a DER type: all its devices in one simulation.

    The simulation makes one object per type and stage, then calls `capability` (stage
    `flexible` only) and `step` once per tick, in this order, from one thread. A checkpoint
    keeps the object's attributes, as `Stateful` says, except for `derived`.
    """

    Settings: ClassVar[type[DerSettings]] = DerSettings
    reported_type: ClassVar[str]
    """What the record's `type` says."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Further columns that `step` reports, each with its unit."""
    stores: ClassVar[bool] = False
    """Whether the devices store energy. Of the types that balance their sites those that do
    step last: they can make up for what the others could not do."""

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        """`free`: steps before the site's net load is known. `flexible`: may react to it."""
        return "free"

    def __init__(self, members: Members[Any]) -> None:
        self.members = members

    def capability(self, tick: Tick) -> Capability:
        """What each device can do in this tick. Needed at the stage `flexible`."""
        raise TypeError(f"{type(self).__name__} is flexible and so needs capability()")

    def balances(self) -> NDArray[Any] | None:
        """bool[n]: which devices take a share in balancing their site; None for none."""
        return None

    @abstractmethod
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        """Advance every device by one tick."""
