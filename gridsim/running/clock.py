"""The clock: APScheduler wakes the engine in real time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED
from apscheduler.triggers.base import BaseTrigger
from loguru import logger

_JUMP_S = 0.2
# APScheduler asks for fire times until one lies in the future.
_SHORTEST_S, _LONGEST_S = 0.001, 86_400.0


class _NextWake(BaseTrigger):  # type: ignore[misc]
    """A trigger that fires at the next wake-up after now, by the engine's monotonic schedule.

    It ignores the previous fire time, so neither an overrun nor a jump of the wall clock
    makes a backlog.
    """

    def __init__(self, until_next: Callable[[], float]) -> None:
        self._until_next = until_next

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return now + timedelta(seconds=min(max(self._until_next(), _SHORTEST_S), _LONGEST_S))


_SILENT = logging.getLogger("gridsim.clock")
_SILENT.disabled = True


class Clock:
    """A timer that calls `wake` on its own thread each time `until_next` seconds have passed."""

    def __init__(self, wake: Callable[[], None], until_next: Callable[[], float]) -> None:
        self._wake = wake
        self._until_next = until_next
        self._scheduler: Any = BackgroundScheduler(
            timezone="UTC",
            daemon=True,
            executors={"default": ThreadPoolExecutor(1)},
            # It warns of each wake-up during a late tick; the engine itself counts late ticks.
            logger=_SILENT,
        )
        self._shift = _wall_shift()

    def start(self) -> None:
        """Wake now, and then at each fire time. May be called again after `stop`."""
        self._scheduler.add_job(
            self._wake,
            _NextWake(self._until_next),
            id="tick",
            next_run_time=datetime.now(self._scheduler.timezone),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            replace_existing=True,
        )
        if self._scheduler.state == STATE_PAUSED:
            self._scheduler.resume()
        elif not self._scheduler.running:
            self._scheduler.start()

    def watch(self) -> None:
        """Reset the scheduler if the wall clock jumped. Call it a few times a second.

        APScheduler waits for a wall-clock time: if the clock is set back by an hour, it would
        sleep for an hour.
        """
        shift = _wall_shift()
        if abs(shift - self._shift) > _JUMP_S:
            logger.warning(
                "the wall clock jumped by {:+.1f} s; ticks continue", shift - self._shift
            )
            self._shift = shift
            self._scheduler.modify_job("tick", next_run_time=datetime.now(self._scheduler.timezone))

    def stop(self) -> None:
        """Start no more wake-ups. Does not wait for a wake-up that is running."""
        if self._scheduler.running:
            self._scheduler.pause()


def _wall_shift() -> float:
    return time.time() - time.monotonic()
