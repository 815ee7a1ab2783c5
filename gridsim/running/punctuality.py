"""The schedule of ticks in real time, and how punctual they were."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Punctuality:
    """The punctuality of the ticks. Lateness is real seconds behind the schedule."""

    late_ticks: int = 0
    """Ticks that started later than the wake-up at which they were due."""
    worst_s: float = 0.0
    stepping_s: float = 0.0
    """The real time spent in the models."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    """The latenesses of the last ticks."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A tick and the monotonic time at which it is due; later ticks are due relative to it."""

    tick: int
    at_s: float
