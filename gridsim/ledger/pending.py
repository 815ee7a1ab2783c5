"""The results that wait for the ledger, and the warning that it is slow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from gridsim.contracts.results import TickResult
from gridsim.ledger.about import About

_WARN_EVERY_S = 10.0
# Shorter waits give no warning, because a run at speed 0 has many of them.
_LONG_S = 0.5


@dataclass(frozen=True, slots=True)
class PendingResult:
    """The result of a tick that is not written yet."""

    tick: int
    result: TickResult
    wall_ms: int
    """The time at which the batch was offered."""
    queued_s: float
    """The same by the monotonic clock."""
    about: About | None = None
    """The description of the run from this result on, after a reload."""


class SlownessLog:
    """The warning that a run waits for its ledger, at most one in 10 s."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0

    def note(self, waited_s: float, total_s: float) -> None:
        """Note that the run has waited, and for how long in total."""
        now = time.monotonic()
        if waited_s >= _LONG_S and now >= self._next:
            self._next = now + _WARN_EVERY_S
            logger.warning(
                "the ledger {} is slower than the run, which waits for it: {:.1f} s so far",
                self._path,
                total_s,
            )
