"""The text about the checkpoints of a run, and about its resumption."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.contracts.part_status import ResumeStatus
from gridsim.contracts.status import RunStatus
from gridsim.text.words import counted, site_time


def resume_lines(status: RunStatus) -> Iterator[str]:
    """Yield where a resumed run goes on, and what it will send."""
    resumed = status.resumed
    if resumed is None:
        return
    yield (
        f"resumed from the checkpoint of tick {resumed.tick:,}, {_time(status, resumed.tick)}: "
        f"{counted(resumed.handed_on - resumed.tick, 'tick')} stepped again, "
        f"{counted(resumed.present - resumed.handed_on, 'tick')} missed while the run was down"
    )
    if resumed.on_recovery == "skip":
        yield "on_recovery = skip: what was delivered, and what was missed, is not sent"
    else:
        yield "on_recovery = republish: all since the checkpoint is sent, some of it a second time"
    if resumed.lost:
        yield (
            f"lost with the killed run: {counted(resumed.lost, 'reading')} from before the "
            "checkpoint, not confirmed by their transport yet"
        )


def gap_lines(status: RunStatus) -> Iterator[str]:
    """Yield the gap in what a resumed run has sent, once it has caught up, and what its counts lack
    if shards of it were lost.
    """
    resumed = status.resumed
    if resumed is None:
        return
    if resumed.replaced:
        yield (
            f"lost shards were made again {counted(resumed.replaced, 'time')}: the account lacks "
            f"what they had sent before, at least {counted(resumed.earlier, 'delivered reading')}"
        )
    if not resumed.caught_up:
        return
    missed = _ticks(status, resumed.handed_on, resumed.present)
    if resumed.on_recovery == "skip" and resumed.missed:
        yield f"gap: {counted(resumed.missed, 'reading')} not sent, {missed}"
    elif resumed.on_recovery == "republish":
        if resumed.again:
            yield (
                f"sent again: {counted(resumed.again, 'reading')}, "
                f"{_ticks(status, resumed.tick, resumed.handed_on)}; they may arrive twice"
            )
        if resumed.missed:
            yield f"sent late: {counted(resumed.missed, 'reading')}, {missed}"


def has_caught_up(resumed: ResumeStatus | None) -> bool:
    """Return whether a resumed run is at the present."""
    return resumed is not None and resumed.caught_up


def _ticks(status: RunStatus, first: int, end: int) -> str:
    return f"ticks {first:,} to {end - 1:,} ({_time(status, first)} to {_time(status, end - 1)})"


def _time(status: RunStatus, tick: int) -> str:
    return site_time(status.start_ms + tick * status.tick_ms, status.timezone)
