"""The readings and arrivals that `match` compares: all but those that arrived unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.assignment import Beside
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.sent import DROPPED, Sent
from gridsim.verify.shifts import Ends
from gridsim.verify.times import NO_TIME, TimeReader
from gridsim.verify.unchanged import ROWS, Unchanged
from gridsim.verify.values import ABSENT, NULL, Ints

_ALL: Final = sum(BIT.values())


@dataclass(frozen=True, slots=True, eq=False)
class Remainder:
    """The readings and arrivals that are left to match."""

    sent: Sent
    arrivals: Arrivals
    """In the order of arrival."""
    place: Ints
    """The place of each arrival among all, in the order of arrival."""
    arrived: Ints
    """The place of the arrival of each reading that arrived unchanged, by number; -1 for others."""
    beside: Beside | None
    """The readings that arrived unchanged; None if there are none."""


class Division:
    """The division of a comparison into the readings that arrived unchanged, and the others."""

    def __init__(self, unchanged: Unchanged, rest: Arrivals, *, by_time: bool) -> None:
        """Create a division; with `by_time`, the order of arrival is that of the times received."""
        self._unchanged, self._rest = unchanged, rest
        self._order: Ints | None = None
        """The arrivals by time; None if they are in this order."""
        self._rank: Ints | None = None
        """The place of each arrival by time."""
        received_ms = unchanged.received_ms()
        if by_time and (received_ms[1:] < received_ms[:-1]).any():
            self._order = np.argsort(received_ms, kind="stable")
            self._rank = np.empty(len(self._order), np.int64)
            self._rank[self._order] = np.arange(len(self._order))

    def given(self, places: Ints) -> Ints:
        """Return the places in the user's data of arrivals at these places by time."""
        return places if self._order is None else self._order[places]

    def line(self, place: int) -> int:
        """Return the line of the arrival at a place by time."""
        return int(self._unchanged.lines.at(self.given(np.array([place])))[0])

    def others(self, kept: np.uint16, clock: TimeReader, tolerance_ms: int) -> Remainder:
        """Return the readings and arrivals that could not be matched one by one.

        They include an unchanged reading, if another arrival or reading may be confused with it.
        `kept` is the mask of the fields that the whole data has.
        """
        unchanged, rest = self._unchanged, self._rest
        times = unchanged.times
        if kept != unchanged.kept:
            return self.whole()
        since, _ = unchanged.epochs[-1]
        if not len(rest) and (unchanged.place >= since).all():
            return self._remainder(self._unchanged.windows.nothing())
        later = [clock.second.get(ms, NO_TIME) for ms in rest.time_ms.tolist()]
        wanted = np.unique(
            np.concatenate(
                [
                    times.keys(rest.device, rest.time_ms),
                    times.keys(rest.device, np.array(later, np.int64)),
                    unchanged.conflicts(),
                    [-1],
                ]
            )
        )
        near = np.zeros(times.devices, np.bool_)
        if tolerance_ms:
            near[rest.device[rest.device >= 0]] = True
        ours, theirs = Ends(times.devices), Ends(times.devices)

        def chosen(sent: Sent) -> NDArray[np.bool_]:
            place = unchanged.place[sent.number]
            keys = times.keys(sent.device, sent.time_ms)
            at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
            others: NDArray[np.bool_] = (place < since) | (wanted[at] == keys) | near[sent.device]
            may = ((sent.fate != DROPPED) | sent.retried) & ~sent.copy
            theirs.add(sent.device[may], sent.time_ms[may])
            ours.add(sent.device[~others], sent.time_ms[~others])
            return others

        remainder = self._remainder(self._sent(chosen))
        own = remainder.arrivals
        known = (own.device >= 0) & (own.time_ms != NO_TIME) & ~own.garbled
        ours.add(own.device[known], own.time_ms[known])
        return remainder if ours.shift(theirs) is None else self.whole()

    def whole(self) -> Remainder:
        """Return all readings and arrivals."""
        return self._remainder(self._sent(lambda sent: np.ones(len(sent), np.bool_)))

    def _sent(self, chosen: Callable[[Sent], NDArray[np.bool_]]) -> Sent:
        def parts() -> Iterator[Sent]:
            for window in self._unchanged.windows.read(ROWS):
                yield window.take(chosen(window))

        return Sent.joined(chain([self._unchanged.windows.nothing()], parts()))

    def _remainder(self, sent: Sent) -> Remainder:
        unchanged = self._unchanged
        rows = np.flatnonzero(unchanged.place[sent.number] >= 0)
        back = unchanged.place[sent.number[rows]].astype(np.int64)
        arrived = unchanged.place.astype(np.int64)
        arrived[sent.number] = -1
        parts, places = [self._rest], [unchanged.rest.whole()]
        for since, until, kept in unchanged.spans():
            own = (since <= back) & (back < until)
            places.append(back[own])
            parts.append(self._as_sent(sent.take(rows[own]), back[own], kept))
        place = np.concatenate(places)
        if self._rank is not None:
            place = self._rank[place]
            arrived = np.where(arrived >= 0, self._rank[arrived], -1)
        arrivals = Arrivals.joined(parts)
        if (place[1:] < place[:-1]).any():
            order = np.argsort(place)
            arrivals, place = arrivals.take(order), place[order]
        beside = None if (arrived < 0).all() else self._beside(place, arrived)
        return Remainder(sent, arrivals, place, arrived, beside)

    def _as_sent(self, sent: Sent, place: Ints, kept: np.uint16) -> Arrivals:
        """Return the arrivals of unchanged readings, which have the values that were sent."""

        def column(name: str, values: NDArray[Any], missing: int) -> NDArray[Any]:
            return values if int(kept) & BIT[name] else np.full_like(values, missing)

        rows = len(sent)
        # A missing state of charge means the same as null, so it is never absent.
        absent = _ALL & ~int(kept) & ~BIT["current_soc"]
        return Arrivals(
            device=sent.device,
            time_ms=sent.time_ms,
            seq=column(SEQ, sent.tick.astype(np.int64), -1),
            output=column("current_output", sent.output, ABSENT),
            meter=column("power_meter_measurement", sent.meter, ABSENT),
            baseline=column("baseline", sent.baseline, ABSENT),
            soc=column("current_soc", sent.soc, NULL),
            online=column("is_online", sent.online, ABSENT),
            since_ms=column("connection_start_at", sent.since_ms, NO_TIME),
            absent=np.full(rows, absent, np.uint16),
            strange=np.zeros(rows, np.uint16),
            garbled=np.zeros(rows, np.bool_),
            received_ms=self._unchanged.received_ms()[place],
            line=self._unchanged.lines.at(place),
        )

    def _beside(self, place: Ints, arrived: Ints) -> Beside:
        """Return the unchanged arrivals beside others; those have ascending places."""
        first = np.ones(len(place), np.bool_)
        first[1:] = np.diff(place) > 1
        # The first of consecutive other arrivals follows an unchanged one, or is the first arrival.
        before = place[first][np.cumsum(first) - 1] - 1 if len(place) else place
        number = np.zeros(len(place), np.int64)
        if len(place):
            of = np.full(self._unchanged.count, -1, np.int64)
            there = np.flatnonzero(arrived >= 0)
            of[arrived[there]] = there
            number = np.where(before >= 0, of[before], 0)
        return Beside(self._unchanged.count, place, before, number)
