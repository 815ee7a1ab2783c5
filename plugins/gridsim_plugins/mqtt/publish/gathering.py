"""The time in which answers gather: reading a few costs as much as reading many."""

from __future__ import annotations

from typing import Final

GATHER_S: Final = 0.001
MANY: Final = 256
"""The number of messages in flight from which on answers gather: a fast broker answers about as
many in that time, so it never waits for more messages.
"""


def gather_s(in_flight: int) -> float:
    """Return the time to wait before answers are read, seconds, by the messages in flight."""
    return GATHER_S if in_flight >= MANY else 0.0
