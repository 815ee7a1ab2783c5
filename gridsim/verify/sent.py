"""The sent readings of a ledger, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger import Reader
from gridsim.ledger.rows import NONE
from gridsim.verify.growing import joined
from gridsim.verify.values import Ints, Small, small

DELIVERED: Final = 0
UNCONFIRMED: Final = 1
DROPPED: Final = 2
PENDING: Final = 3
FATES: Final = ("delivered", "unconfirmed", "dropped")

_READINGS = """
SELECT r.number, r.tick, r.device, r.baseline,
  w.number IS NOT NULL, w.time_ms, ifnull(w.online, 1),
  CASE WHEN w.number IS NULL THEN r.output ELSE w.output END,
  CASE WHEN w.number IS NULL THEN r.meter ELSE w.meter END,
  CASE WHEN w.number IS NULL THEN r.soc ELSE w.soc END,
  ifnull(l.faults, 0), ifnull(l.altered, -1), ifnull(l.copy, 0)
FROM readings r LEFT JOIN reported w USING (number) LEFT JOIN labels l USING (number)
ORDER BY r.number
"""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """The columns of n sent readings, by number, with the values that were sent."""

    number: Ints
    tick: Small
    device: Small
    time_ms: Ints
    output: Small
    meter: Small
    baseline: Small
    soc: Small
    online: Small
    since_ms: Ints
    differs: NDArray[np.bool_]
    """True if a reading differs from the true values."""
    faults: NDArray[np.uint64]
    altered: Small
    """The fault that altered the reading's message; -1 if none did."""
    copy: NDArray[np.bool_]
    left: Small
    """The tick in which the reading was sent."""
    offers: Ints
    """The first number sent in each tick, and its time of offer, int64[batches, 2].

    The time is by the wall clock; NONE if it is not known.
    """
    fate: NDArray[np.int8]
    """The outcome with the transport that is compared."""
    reason: Small
    """The reason of a drop: an index into `reasons`."""
    retried: NDArray[np.bool_]
    """True if the reading was in flight when the transport failed: it may arrive twice."""
    message: Ints
    """The message of each reading; readings of one message have the same number."""
    reasons: Sequence[str]

    def __len__(self) -> int:
        return len(self.number)

    def offered_ms(self, readings: NDArray[np.intp] | Ints) -> Ints:
        """Return the times at which readings were offered to the transports."""
        if not len(self.offers):
            return np.full(len(readings), NONE)
        offered: Ints = self.offers[_before(self.offers[:, 0], self.number[readings]), 1]
        return offered


def load_sent(reader: Reader, transport: int, framing: str) -> Sent:
    """Load the readings of a ledger, with their outcomes with one of its transports."""
    start, tick_ms = reader.meta["start_ms"], reader.meta["tick_ms"]
    blocks = chain([np.empty((0, 13), np.int64)], reader.matrices(_READINGS))
    columns = joined(_columns(block, start, tick_ms) for block in blocks)
    number, tick, device, time_ms, output, meter, baseline, soc, online = columns[:9]
    differs, faults, altered, copy = columns[9:]
    left, offered = _offers(reader, number)
    fate, reason, retried, reasons = _fates(reader, transport, number)
    message = number
    if framing == "project":
        message = _messages(reader, device, time_ms)
        altered = _spread(altered, message)
    return Sent(
        number, tick, device, time_ms, output, meter, baseline, soc, online,
        _connections(reader, device, number), differs, faults, altered, copy,
        left, offered, fate, reason, retried, message, reasons,
    )  # fmt: skip


def _columns(block: Ints, start_ms: int, tick_ms: int) -> list[NDArray[np.generic]]:
    """Convert a block of rows of _READINGS to columns, in the order of Sent."""
    number, tick, device, baseline, differs, time_ms, online = block[:, :7].T
    output, meter, soc, faults, altered, copy = block[:, 7:].T
    return [
        number,
        tick.astype(np.int32),
        device.astype(np.int32),
        np.where(time_ms == NONE, start_ms + tick * tick_ms, time_ms),
        *(small(column, NONE) for column in (output, meter, baseline, soc)),
        online.astype(np.int32),
        differs.astype(np.bool_),
        faults.copy().view(np.uint64),
        altered.astype(np.int32),
        copy.astype(np.bool_),
    ]


def _before(firsts: Ints, number: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.maximum(np.searchsorted(firsts, number, side="right") - 1, 0)


def _offers(reader: Reader, number: Ints) -> tuple[Small, Ints]:
    """Return the tick in which each reading was sent, and the times of offer of each tick."""
    batches = reader.matrix(
        "SELECT first, tick, wall_ms FROM batches LEFT JOIN offers USING (tick) "
        "WHERE rows > 0 ORDER BY first"
    )
    if not len(batches):
        return np.full(len(number), -1, np.int32), np.empty((0, 2), np.int64)
    return batches[:, 1].astype(np.int32)[_before(batches[:, 0], number)], batches[:, ::2]


def _connections(reader: Reader, device: Small, number: Ints) -> Ints:
    rows = reader.matrix("SELECT device, number, since_ms FROM connections ORDER BY 1, 2")
    if not len(rows):
        return np.full(len(number), NONE)
    # Device and number are combined, so that one search finds the last entry of the device.
    span = int(max(number.max(initial=0), rows[:, 1].max())) + 1
    at = np.searchsorted(rows[:, 0] * span + rows[:, 1], device * np.int64(span) + number, "right")
    since: Ints = rows[np.maximum(at - 1, 0), 2]
    return since


def _fates(
    reader: Reader, transport: int, number: Ints
) -> tuple[NDArray[np.int8], Small, NDArray[np.bool_], list[str]]:
    fate = np.full(len(number), PENDING, np.int8)
    reason = np.full(len(number), -1, np.int32)
    retried = np.zeros(len(number), np.bool_)
    reasons: dict[str, int] = {}
    for first, rows, what, why in reader.rows(
        f"SELECT first, rows, fate, reason FROM fates WHERE transport = {transport:d}"
    ):
        part = slice(*np.searchsorted(number, (first, first + rows)))
        fate[part] = FATES.index(what)
        if why:
            reason[part] = reasons.setdefault(why, len(reasons))
    for first, rows in reader.rows(
        f"SELECT first, rows FROM retries WHERE transport = {transport:d}"
    ):
        retried[slice(*np.searchsorted(number, (first, first + rows)))] = True
    return fate, reason, retried, list(reasons)


def _messages(reader: Reader, device: Small, time_ms: Ints) -> Ints:
    """Return the message of each reading with framing project: one per project and time."""
    project = reader.matrix("SELECT project FROM devices ORDER BY device")[:, 0][device]
    change = np.ones(len(device), np.bool_)
    change[1:] = (project[1:] != project[:-1]) | (time_ms[1:] != time_ms[:-1])
    change[1:] |= device[1:] <= device[:-1]
    message: Ints = np.cumsum(change) - 1
    return message


def _spread(altered: Small, message: Ints) -> Small:
    """Return `altered` spread to all readings of the same message."""
    by_message = np.full(int(message.max(initial=-1)) + 1, -1, np.int32)
    marked = np.flatnonzero(altered >= 0)
    # If there are several faults, the first one counts.
    at, first = np.unique(message[marked], return_index=True)
    by_message[at] = altered[marked[first]]
    spread: Small = by_message[message]
    return spread
