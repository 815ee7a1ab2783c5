"""The readings of a ledger and the arrivals, matched with each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger.columns import NONE
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.matches import EXACT, Matching
from gridsim.verify.matching import match
from gridsim.verify.reading import Reading
from gridsim.verify.remainder import Division
from gridsim.verify.sent import Sent
from gridsim.verify.times import NO_TIME
from gridsim.verify.unchanged import Unchanged
from gridsim.verify.values import Ints

_PART = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All readings and arrivals, matched.

    `sent`, `arrivals`, `place` and `matching` exclude readings that arrived unchanged, unless other
    readings can be confused with them.
    """

    sent: Sent
    arrivals: Arrivals
    """In the order of arrival."""
    place: Ints
    """The place of each of these arrivals among all."""
    matching: Matching
    arrived: Ints
    """The place of the unchanged arrival of each reading, by number; -1 if there is none."""
    unchanged: Unchanged
    division: Division
    compared: int
    """The number of readings that were compared with an arrival."""

    @property
    def received(self) -> int:
        """The number of arrivals."""
        return self.unchanged.count

    def shown(self, place: int, sent_ms: int) -> tuple[int, int]:
        """Return the time and the line of an arrival; `sent_ms` is the time of its reading."""
        at = int(np.searchsorted(self.place, place))
        if at < len(self.place) and self.place[at] == place:
            return int(self.arrivals.time_ms[at]), int(self.arrivals.line[at])
        return sent_ms, self.division.line(place)

    def latencies(self) -> NDArray[np.float64]:
        """Return the times from a batch's offer to the reading's arrival, s, where known."""
        received_ms = self.unchanged.received_ms()
        found = [np.empty(0, np.float64)]
        if (received_ms == NO_TIME).all():
            return found[0]
        for first in range(0, len(self.arrived), _PART):
            number = np.flatnonzero(self.arrived[first : first + _PART] >= 0) + first
            own = received_ms[self.division.given(self.arrived[number])]
            offered = self.unchanged.windows.offered_ms(number)
            known = (own != NO_TIME) & (offered != NONE)
            found.append((own[known] - offered[known]) / 1000.0)
        return np.concatenate(found)


def compare_readings(
    unchanged: Unchanged,
    rest: Arrivals,
    reading: Reading,
    *,
    by_time: bool,
    tolerance_ms: int,
) -> Comparison:
    """Match the arrivals that are left, and return the whole comparison.

    With `by_time`, the arrivals are in the order of the times at which they were received.
    """
    unchanged.finish()
    kept, clock = reading.evidence.kept, reading.time
    division = Division(unchanged, rest, by_time=by_time)
    left = division.others(kept, clock, tolerance_ms)
    matching = match(left.sent, left.arrivals, kept, tolerance_ms, clock.second, left.beside)
    if matching.shifts and left.beside is not None:
        # An arrival with a shifted time may correspond to any unchanged reading.
        left = division.whole()
        matching = match(left.sent, left.arrivals, kept, tolerance_ms, clock.second)
    compared = int((left.arrived >= 0).sum()) + int(matching.arrived.sum())
    arrived = left.arrived
    exact = np.flatnonzero(matching.how == EXACT)
    arrived[left.sent.number[matching.reading[exact]]] = left.place[exact]
    return Comparison(
        left.sent, left.arrivals, left.place, matching, arrived, unchanged, division, compared
    )
