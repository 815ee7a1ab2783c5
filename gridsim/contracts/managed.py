"""Base classes for DER types that share how they are controlled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from typing_extensions import TypeVar

from gridsim.contracts.der import Capability, Fleet, Orders, Stage, Telemetry
from gridsim.contracts.members import Members
from gridsim.contracts.settings import D, DerSettings, Unit
from gridsim.contracts.tick import Tick
from gridsim.helpers.curtailment import Curtailment
from gridsim.helpers.randomness import Floats


class Managed(Fleet[D]):
    """A fleet whose setting `managed` decides whether events and its site may dispatch it."""

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible" if settings.managed else "free"


CurtailmentRate = Annotated[
    float,
    Unit("%/s"),
    Field(
        gt=0.0,
        description="rate at which the power limit moves to a new value, of the nameplate capacity",
    ),
]
"""The type of the setting `curtailment_rate`, for a subclass that has another default."""


class CurtailableSettings(DerSettings):
    """Settings of a `Curtailable` DER type."""

    curtailment_rate: CurtailmentRate = 100.0
    managed: bool = Field(
        False,
        description="true: events, and the setpoint and limits of its site, curtail it, too. "
        "Commands to the device itself work either way",
    )


C = TypeVar("C", bound=CurtailableSettings, default=Any)


class Curtailable(Managed[C]):
    """A fleet of plants that follow the sun or the wind, and whose output can be reduced.

    A subclass implements `available_power`. A setpoint and an upper limit reduce the output,
    at the curtailment rate. Without either, a plant produces all that is available.
    """

    Settings = CurtailableSettings
    derived: ClassVar[Collection[str]] = ("_available_kw", "_available_tick")

    def __init__(self, members: Members[C]) -> None:
        super().__init__(members)
        rated = members.columns["nameplate_capacity"]
        rate = members.columns["curtailment_rate"] / 100.0 * rated
        self._curtailment = Curtailment(rated, rate)
        self._available_tick: int | None = None
        self._available_kw: Floats | None = None

    @abstractmethod
    def available_power(self, tick: Tick) -> Floats:
        """Return the power that each plant could produce, float64[n], kW, mean over the tick.

        Called once per tick, so it may advance the state of the plants.
        """

    def capability(self, tick: Tick) -> Capability:
        """Return the range from zero to the available power, which is also preferred."""
        available = self.available_in(tick)
        return Capability(np.zeros(len(available)), available, available)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        """Report the output; override it to report further columns."""
        return Telemetry(self.curtailed_power(tick, orders))

    def curtailed_power(self, tick: Tick, orders: Orders) -> Floats:
        """Return the available power, reduced by the orders, float64[n], kW; once per tick."""
        available = self.available_in(tick)
        return self._curtailment.apply(available, tick.dt_s, orders.setpoint_kw, orders.max_kw)

    def available_in(self, tick: Tick) -> Floats:
        """Return the available power of the tick, computed once, float64[n], kW."""
        if self._available_kw is None or self._available_tick != tick.index:
            self._available_kw = self.available_power(tick)
            self._available_tick = tick.index
        return self._available_kw
