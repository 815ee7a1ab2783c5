"""The time in which answers gather: reading a few costs as much as reading many."""

from __future__ import annotations

from typing import Final

_FASTEST_S: Final = 2e-6
"""The time that the fastest broker takes for a message, so that it never waits for more."""
_FEW: Final = 100
"""The number of messages in flight below which answers are read at once."""
_LONGEST_S: Final = 0.01


def gather_s(in_flight: int) -> float:
    """Return the time to wait before answers are read, seconds, by the messages in flight."""
    return min(in_flight * _FASTEST_S, _LONGEST_S) if in_flight >= _FEW else 0.0
