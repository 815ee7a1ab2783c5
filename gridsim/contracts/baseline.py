"""Baseline: what sites would draw without the programme."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import ClassVar, Generic

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.state import Stateful
from gridsim.contracts.tick import Tick
from gridsim.helpers.randomness import Floats

Expected = Callable[[int], Floats]
"""Returns the expected load of each member at a UTC time in ms: float64[n], kW."""


class Baseline(Stateful, ABC, Generic[S]):
    """The contract of a baseline plugin: what sites would draw without the programme.

    One object serves all sites that name the plugin; `members` are these sites. In each tick
    `at` gives the baselines. Then events are announced and end, which shows from the next tick
    on. When all devices have stepped, `note` gives the consumption. All calls come from the
    simulation's thread. A checkpoint keeps the object's attributes, as `Stateful` says, except
    for `derived`.

    `expected` is what the sites' loads are expected to draw, without any DER: it may be called
    for any time, also for times before the start. Its values are not to be changed.
    """

    Settings: ClassVar[type[Settings]] = Settings
    derived: ClassVar[Collection[str]] = ("expected",)

    def __init__(self, members: Members[S], expected: Expected) -> None:
        self.members = members
        self.expected = expected

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Return the baseline over the tick: float64[n], kW, negative where a site feeds."""

    def note(self, tick: Tick, net_kw: Floats) -> None:
        """Take in the net consumption of the sites over the tick, float64[n], kW."""

    def event_announced(
        self, member: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """Take in that an event was announced to some members at UTC `time_ms`.

        `begin_ms` is when it begins for each of them. A baseline that depends on the hours
        before an event is frozen now: later consumption must not change it.
        """

    def event_over(self, member: NDArray[np.intp]) -> None:
        """Take in that an announced event is over for these members, or was cancelled."""
