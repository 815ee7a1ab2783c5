"""The text about the backfill of a run."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.contracts.status import RunStatus
from gridsim.text.words import about_time, counted, site_time


def backfill_text(status: RunStatus) -> str:
    """Return how far the backfill is, in a few words; empty if none goes on."""
    backfill = status.backfill
    if backfill is None or backfill.ended_at is not None:
        return ""
    if status.tick >= backfill.due:
        return "backfill at the present, waiting until its readings are sent"
    done = status.tick - backfill.first
    share = done / max(backfill.due - backfill.first, 1)
    text = f"backfill {int(share * 1000) / 10:.1f} %, {backfill.speed:,.0f} times real time"
    if backfill.left_s is not None:
        text += f", about {about_time(backfill.left_s)} left"
    return text


def backfill_end_lines(status: RunStatus) -> Iterator[str]:
    """Yield the outcome of the backfill once it has ended, and where the run goes on."""
    backfill = status.backfill
    if backfill is None or backfill.ended_at is None:
        return
    ticks = backfill.ended_at - backfill.first
    time = site_time(status.start_ms + backfill.ended_at * status.tick_ms, status.timezone)
    yield (
        f"backfill: {counted(ticks, 'tick')} in {backfill.took_s:.1f} s, "
        f"{backfill.speed:,.0f} times real time; the run goes on with tick {backfill.ended_at:,}, "
        f"{time}"
    )
