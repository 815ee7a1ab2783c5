"""Loads: the consumption of sites without their DERs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic

from gridsim.contracts.members import Members
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats


class Load(Stateful, ABC, Generic[S]):
    """The contract of a load plugin: the consumption of sites without their DERs.

    One object serves all sites that use the plugin. It is called once per tick in the
    simulation's thread. A checkpoint has the attributes of the object except for those in
    `derived`; see `Stateful`.
    """

    Settings: ClassVar[type[Settings]] = Settings
    power_factor: ClassVar[float] = 1.0
    """The power factor of the load, above 0: below 1 it draws reactive power (lagging)."""

    def __init__(self, members: Members[S]) -> None:
        self.members = members

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Return the mean load over the tick, float64[n], kW, not negative."""

    @abstractmethod
    def expected(self, time_ms: int) -> Floats:
        """Return the expected load at UTC `time_ms`, float64[n], kW."""
