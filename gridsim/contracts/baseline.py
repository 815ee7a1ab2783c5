"""Baseline: the consumption of sites without demand response, an estimate."""

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
"""The function from a UTC time in ms to the expectation of each member, float64[n], kW."""


class Baseline(Stateful, ABC, Generic[S]):
    """The contract of a baseline plugin: the consumption of sites without demand response.

    One object serves all sites that name the plugin; `members` are these sites. Each tick calls
    `at` for the baselines first. Then events are announced and end; they affect the baselines
    from the next tick on. When all devices have stepped, `note` receives the consumption. All
    calls come from the simulation's thread. A checkpoint keeps the object's attributes, except
    those in `derived` (see `Stateful`).

    `expected` gives the expected load of the sites, plus the present draw of their DERs that
    consume (`Fleet.consumes`) as if they had never had a setpoint. It may be called for any time;
    for times before the start it gives the load alone. Where the configuration names a load for the
    baseline, `expected` is the expectation of that load alone. Do not change the array that it
    returns.
    """

    Settings: ClassVar[type[Settings]] = Settings
    derived: ClassVar[Collection[str]] = ("expected",)
    counterfactual: ClassVar[bool] = False
    """True for the type whose values the simulation replaces by the true consumption.

    During an event that is the net consumption of a copy of the simulation without the event, at
    other times the net consumption itself. `at` gives the baseline that the copy itself has.
    """
    caveat: ClassVar[str] = ""
    """A sentence about the baseline, without its full stop; empty: there is none.

    The plan of a run, `gridsim validate` and `gridsim report` show it.
    """

    def __init__(self, members: Members[S], expected: Expected) -> None:
        self.members = members
        self.expected = expected

    @abstractmethod
    def at(self, tick: Tick) -> Floats:
        """Return the baseline over the tick: float64[n], kW, negative where a site exports."""

    def note(self, tick: Tick, net_kw: Floats) -> None:
        """Record the net consumption of the sites over the tick, float64[n], kW."""

    def event_announced(
        self, member: NDArray[np.intp], time_ms: int, begin_ms: NDArray[np.int64]
    ) -> None:
        """Handle the announcement of an event to some members at UTC `time_ms`.

        `begin_ms` is the start of the event for each of them. A baseline that depends on the
        hours before an event is fixed now: later consumption must not change it.
        """

    def event_over(self, member: NDArray[np.intp]) -> None:
        """Handle the end or the cancellation of an announced event for these members."""
