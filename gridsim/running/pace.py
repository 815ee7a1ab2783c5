"""The verdict on a run's rate and, if the rate was not held, the part that was too slow.

The load is open-loop: ticks are due by the clock, even if earlier ticks are late. A rate is held if
99 % of the ticks started and 99 % of the batches were confirmed before the next ones were due, and
if no reading was dropped because a queue was full.
"""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.contracts.part_status import TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.delivery.account import QUEUE_FULL

_MAY_BE_LATE = 0.01


def is_held(status: RunStatus) -> bool:
    """Return whether the rate was held so far; always true at speed 0, which has no rate."""
    if not status.wake_s:
        return True
    return _ticks_held(status) and all(_delivery_held(one) for one in status.transports)


def behind_now(status: RunStatus) -> str:
    """Return the parts that are behind schedule now, and by how much; empty if none is."""
    if not status.wake_s:
        return ""
    late = [("ticks", status.behind_s), *((t.name, t.behind_s) for t in status.transports)]
    return ", ".join(f"{name} {by:.1f} s" for name, by in late if by > status.wake_s)


def shortfall_lines(status: RunStatus) -> Iterator[str]:
    """Yield lines that say by how much the rate was missed, and where the time was spent."""
    if not _ticks_held(status):
        yield (
            f"the rate was not held: {status.late_ticks:,} of {_rated(status):,} ticks were late, "
            f"the worst by {status.worst_lag_s:.1f} s"
        )
    for transport in status.transports:
        if not _delivery_held(transport):
            yield (
                f"the rate was not held: {transport.name} confirmed "
                f"{transport.late_batches:,} batches late "
                f"(p99 {transport.settled.quantile(0.99):.1f} s) and dropped "
                f"{transport.dropped.get(QUEUE_FULL, 0):,} readings because its queue was full"
            )
    parts = sorted(_seconds_by_part(status), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts)
    yield f"the slowest part was {parts[0][0]}; time spent: {listed}"


def _ticks_held(status: RunStatus) -> bool:
    return status.late_ticks <= _MAY_BE_LATE * _rated(status)


def _rated(status: RunStatus) -> int:
    """Return the number of ticks that had a rate to hold: those after the backfill."""
    backfill = status.backfill
    return status.tick - (0 if backfill is None else backfill.ended_at or 0)


def _delivery_held(transport: TransportStatus) -> bool:
    on_time = transport.late_batches <= _MAY_BE_LATE * transport.batches
    return on_time and not transport.dropped.get(QUEUE_FULL, 0)


def _seconds_by_part(status: RunStatus) -> Iterator[tuple[str, float]]:
    yield "models", status.stepping_s
    for transport in status.transports:
        encoding_s = transport.encoding_s
        yield f"{transport.name} encoding", encoding_s
        yield f"{transport.name} transport", max(transport.computing_s - encoding_s, 0.0)
        yield f"{transport.name} far end", transport.waiting_s
