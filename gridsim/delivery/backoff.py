"""The pauses between attempts to connect."""

from __future__ import annotations

import random
from collections.abc import Callable

_SHORTEST_S, _LONGEST_S = 0.2, 1.5
_PERMANENT_S = (1.0, 30.0)
# Beyond this many attempts the pause does not grow; a power of two without end would overflow.
_MAX_DOUBLINGS = 10


class Backoff:
    """Pauses that grow with each attempt, with jitter, until `reset`."""

    def __init__(self, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self.attempts = 0
        """Attempts since the last reset."""
        self.permanent = False
        """True if the last failure needs a change of settings, here or at the far end."""
        self._uniform = uniform

    def attempt(self) -> None:
        """Count an attempt."""
        self.attempts += 1

    def reset(self) -> None:
        """Start again with no pause, because the connection has worked."""
        self.attempts = 0

    def pause_s(self) -> float:
        """Return how long to wait before the next attempt, seconds."""
        if not self.attempts:
            return 0.0
        doublings = min(self.attempts, _MAX_DOUBLINGS)
        if self.permanent:
            # Someone may be correcting it right now, so the first pauses are short.
            first, longest = _PERMANENT_S
            ceiling = min(longest, first * 2.0 ** (doublings - 1))
            return self._uniform(ceiling / 2, ceiling)
        return self._uniform(_SHORTEST_S, min(_LONGEST_S, _SHORTEST_S * 2.0**doublings))
