"""Loads: the consumption of sites without their DERs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic

import numpy as np

from gridsim.contracts.members import Members
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick, TickBlock
from gridsim.helpers.randomness import Floats


class Load(Stateful, ABC, Generic[S]):
    """The contract of a load plugin: the consumption of sites without their DERs.

    One object serves all sites that use the plugin. It is called in the simulation's thread: `at`
    once per tick, or `block` once for several ticks if the plugin defines it and the fleet is
    small. A checkpoint has the attributes of the object except for those in `derived`; see
    `Stateful`.
    """

    Settings: ClassVar[type[Settings]] = Settings
    power_factor: ClassVar[float] = 1.0
    """The power factor of the load, above 0: below 1 it draws reactive power (lagging)."""

    def __init__(self, members: Members[S]) -> None:
        self.members = members

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Return the mean load over the tick, float64[n], kW, not negative."""

    def block(self, ticks: TickBlock) -> Floats:
        """Return the mean load over each of k consecutive ticks, float64[k, n], kW.

        Define it, beside `at`, if many ticks at once cost less than one at a time, and if the load
        depends on its members, the time and the weather alone: it must not change the state that a
        checkpoint keeps. Row i must equal the result of `at` to the last bit: a run may use either.
        If it fails, gridsim asks again for one tick at a time, so that an error belongs to its own
        tick.
        """
        return np.stack([self.at(tick) for tick in ticks.ticks()])

    @abstractmethod
    def expected(self, time_ms: int) -> Floats:
        """Return the expected load at UTC `time_ms`, float64[n], kW."""
