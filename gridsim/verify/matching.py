"""The matching of arrivals with the readings that were sent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.assignment import Assignment, Beside
from gridsim.verify.matches import ALTERED, CHANGED, EXACT, Matching
from gridsim.verify.sent import Sent
from gridsim.verify.times import NO_TIME


def match(
    sent: Sent,
    arrivals: Arrivals,
    kept: np.uint16,
    tolerance_ms: int = 0,
    second: Mapping[int, int] | None = None,
    beside: Beside | None = None,
) -> Matching:
    """Find the reading of every arrival; each reading is matched at most once.

    `kept` is the mask of the fields that the user's data has: a record without a readable value of
    each is damaged. With `beside`, other arrivals are matched already.
    Unchanged arrivals are matched first, then those with a difference of time that many share: they
    count as unchanged within `tolerance_ms`. `second` has the later meaning of times in an hour
    that a local clock repeats. Next are those altered by faults: by their readable
    fields, and then by elimination. Changed arrivals are matched last.
    """
    damaged = arrivals.garbled | ((arrivals.absent & kept) != 0)
    work = Assignment(sent, arrivals, damaged, kept, tolerance_ms, beside)
    keys = work.keys
    work.pair_exact()
    late = work.in_second_hour(second or {})
    with work.later(late):
        work.pair(work.as_sent & late, ~work.arrived, keys.exact(), EXACT)
    work.pair_shifted()
    if tolerance_ms:
        work.pair_near()
    altered = sent.altered >= 0
    known = arrivals.device >= 0
    timed = arrivals.time_ms != NO_TIME
    counted = arrivals.seq >= 0
    by_reading = keys.of("device", "time_ms")
    work.pair(
        known & timed & counted & damaged, altered, keys.of("device", "time_ms", "seq"), ALTERED
    )
    for rows in (known & timed & damaged, known & timed & ~damaged):
        work.pair(rows, altered, by_reading, ALTERED)
        work.pair_by_shifts(rows, altered, ALTERED)
    partly = damaged & ~(known & timed)
    for rows, names in (
        (known & counted, ("device", "seq")),
        (known, ("device",)),
        (timed, ("time_ms",)),
        (~known & ~timed, ()),
    ):
        work.pair_nearest(rows & partly & ~arrivals.garbled, altered, keys.of(*names))
        # A garbled text without further readable fields stands for its whole message.
        firsts = work.firsts_of_absent(altered)
        work.pair_nearest(rows & partly & arrivals.garbled, firsts, keys.of(*names))
    work.pair_by_shifts(known & timed, ~altered, CHANGED)
    work.pair(known & timed, ~altered, by_reading, CHANGED)
    with work.later(late):
        work.pair(known & late, ~altered, by_reading, CHANGED)
    work.find_repeated()
    with work.later(late):
        work.find_repeated()
    return Matching(work.reading, work.how, damaged, work.arrived, work.shifts, work.by)
