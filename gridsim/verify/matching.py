"""The matching of arrivals with the readings that were sent."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.pairing import Keys, keys_of, pair
from gridsim.verify.sent import DROPPED, PENDING, Sent
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints

UNKNOWN: Final = 0
EXACT: Final = 1
"""The reading arrived as it was sent."""
ALTERED: Final = 2
"""The reading's message was altered by a fault, and arrived altered."""
CHANGED: Final = 3
"""The reading arrived with other values than were sent."""
AGAIN: Final = 4
"""A repetition of a reading that has already arrived."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    reading: Ints
    """The index of the sent reading, int64[arrivals]; -1 if there is no match."""
    how: NDArray[np.int8]
    damaged: NDArray[np.bool_]
    """True if an arrival is not a whole record, bool[arrivals]."""
    arrived: NDArray[np.bool_]
    """True if a sent reading has arrived, bool[sent]."""


def match(sent: Sent, arrivals: Arrivals, kept: np.uint16) -> Matching:
    """Find the reading of every arrival; each reading is matched at most once.

    `kept` is the mask of the fields that the user's data has: a record without a readable value of
    each is damaged.
    Unchanged arrivals are matched first. Next are those altered by faults: by their readable
    fields, and then by elimination. Changed arrivals are matched last.
    """
    damaged = arrivals.garbled | ((arrivals.absent & kept) != 0)
    work = _Work(sent, arrivals, damaged)
    work.pair_exact(kept)
    altered = sent.altered >= 0
    known = arrivals.device >= 0
    timed = arrivals.time_ms != NO_TIME
    counted = arrivals.seq >= 0
    by_reading = work.key("device", "time_ms")
    work.pair(
        known & timed & counted & damaged, altered, work.key("device", "time_ms", "seq"), ALTERED
    )
    work.pair(known & timed & damaged, altered, by_reading, ALTERED)
    work.pair(known & timed & ~damaged, altered, by_reading, ALTERED)
    partly = damaged & ~(known & timed)
    for rows, names in (
        (known & counted, ("device", "seq")),
        (known, ("device",)),
        (timed, ("time_ms",)),
        (~known & ~timed, ()),
    ):
        work.pair_nearest(rows & partly & ~arrivals.garbled, altered, work.key(*names))
        # A garbled text without more readable fields counts for its whole message.
        firsts = work.firsts_of_absent(altered)
        work.pair_nearest(rows & partly & arrivals.garbled, firsts, work.key(*names))
    work.pair(known & timed, ~altered, by_reading, CHANGED)
    work.find_repeated(kept)
    return Matching(work.reading, work.how, damaged, work.arrived)


class _Work:
    """The state of the matching."""

    def __init__(self, sent: Sent, arrivals: Arrivals, damaged: NDArray[np.bool_]) -> None:
        self._sent = sent
        self._arrivals = arrivals
        self._damaged = damaged
        self.reading = np.full(len(arrivals), -1, np.int64)
        self.how = np.full(len(arrivals), UNKNOWN, np.int8)
        self.arrived = np.zeros(len(sent), np.bool_)
        # Readings that were dropped before sending cannot have arrived.
        self._may = (sent.fate != DROPPED) | sent.retried

    def key(self, *names: str) -> Callable[[Sent | Arrivals, NDArray[np.intp]], Keys]:
        """Return a function that makes keys of these columns for rows of either side."""

        def make(side: Sent | Arrivals, rows: NDArray[np.intp]) -> Keys:
            return keys_of(len(rows), (_column(side, name)[rows] for name in names))

        return make

    def exact_key(self, kept: np.uint16) -> Callable[[Sent | Arrivals, NDArray[np.intp]], Keys]:
        fields = {
            "is_online": "online",
            "current_output": "output",
            "power_meter_measurement": "meter",
            "baseline": "baseline",
            "current_soc": "soc",
            "connection_start_at": "since_ms",
        }
        names = [column for name, column in fields.items() if int(kept) & BIT[name]]
        if int(kept) & BIT[SEQ]:
            names.append("seq")
        return self.key("device", "time_ms", *names)

    def pair_exact(self, kept: np.uint16) -> None:
        sent, arrivals = self._sent, self._arrivals
        rows = ~self._damaged & (arrivals.device >= 0) & ((arrivals.strange & kept) == 0)
        # Among equal readings, match those first that are most likely to have arrived.
        doubt = np.zeros(len(sent), np.int8)
        doubt[sent.fate == PENDING] = 1
        doubt[sent.altered >= 0] = 2
        key = self.exact_key(kept)
        self._pair(np.flatnonzero(rows), np.argsort(doubt, kind="stable"), key, EXACT)
        # Match the readings that did arrive again, in the order of sending.
        left = np.flatnonzero(self.how == EXACT)
        doubtful = np.flatnonzero((doubt > 0) & self.arrived)
        left = left[np.isin(key(arrivals, left), key(sent, doubtful))]
        self._pair(left, np.sort(self.reading[left]), key, EXACT)

    def pair(
        self,
        arrivals: NDArray[np.bool_],
        sent: NDArray[np.bool_],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
        how: int,
    ) -> None:
        """Match arrivals and readings of equal keys among those that are not matched yet."""
        left = np.flatnonzero(arrivals & (self.reading < 0))
        if len(left):
            self._pair(left, np.flatnonzero(sent & ~self.arrived), key, how)

    def pair_nearest(
        self,
        arrivals: NDArray[np.bool_],
        sent: NDArray[np.bool_],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
    ) -> None:
        """Match each arrival with the candidate that was sent closest to the previous arrival."""
        left = np.flatnonzero(arrivals & (self.reading < 0))
        if not len(left):
            return
        right = np.flatnonzero(sent & ~self.arrived & self._may)
        free: dict[int, list[int]] = {}
        for reading, value in zip(right.tolist(), key(self._sent, right).tolist(), strict=True):
            free.setdefault(value, []).append(reading)
        matched = np.where(self.reading >= 0, np.arange(len(self.reading)), -1)
        before = np.maximum.accumulate(matched)[left]
        near = np.where(before >= 0, self.reading[before], 0)
        keys = key(self._arrivals, left).tolist()
        for row, value, place in zip(left.tolist(), keys, near.tolist(), strict=True):
            candidates = free.get(value)
            if not candidates:
                continue
            at = bisect_left(candidates, place)
            if at == len(candidates) or (
                at and place - candidates[at - 1] < candidates[at] - place
            ):
                at -= 1
            reading = candidates.pop(at)
            self.reading[row] = reading
            self.how[row] = ALTERED
            self.arrived[reading] = True

    def firsts_of_absent(self, sent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the first reading of each message that has not arrived."""
        rows = np.flatnonzero(sent & self._may)
        message = self._sent.message
        rows = rows[~np.isin(message[rows], message[self.arrived])]
        firsts = np.zeros(len(sent), np.bool_)
        firsts[rows[np.unique(message[rows], return_index=True)[1]]] = True
        return firsts

    def _pair(
        self,
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        key: Callable[[Sent | Arrivals, NDArray[np.intp]], Keys],
        how: int,
    ) -> None:
        right = right[self._may[right]]
        a, b = pair(key(self._arrivals, left), key(self._sent, right))
        self.reading[left[a]] = right[b]
        self.how[left[a]] = how
        self.arrived[right[b]] = True

    def find_repeated(self, kept: np.uint16) -> None:
        """Match the repetitions of readings that have arrived."""
        sent, arrivals = self._sent, self._arrivals
        free = (self.reading < 0) & (arrivals.device >= 0)
        taken = np.flatnonzero(self.arrived)
        for rows, key in (
            (free & ~self._damaged & ((arrivals.strange & kept) == 0), self.exact_key(kept)),
            (free & self._damaged, self.key("device", "time_ms")),
        ):
            left = np.flatnonzero(rows)
            if not len(left) or not len(taken):
                continue
            ours, theirs = key(arrivals, left), key(sent, taken)
            # Take the last of the equal readings, and prefer retried ones: they may arrive twice.
            order = np.lexsort((sent.retried[taken], theirs))
            place = np.searchsorted(theirs[order], ours, side="right") - 1
            found = taken[order[np.maximum(place, 0)]]
            hit = (place >= 0) & (theirs[order[np.maximum(place, 0)]] == ours)
            self.reading[left[hit]] = found[hit]
            self.how[left[hit]] = AGAIN


def _column(side: Sent | Arrivals, name: str) -> NDArray[np.generic]:
    if name == "seq" and isinstance(side, Sent):
        return side.tick
    column: NDArray[np.generic] = getattr(side, name)
    return column
