"""The turn of the threads of a run that compute with small arrays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST_DEVICES: Final = 30_000
"""The largest fleet whose threads take turns. With larger arrays two threads at once are faster."""
# A plugin that hangs in its turn must not stop the others.
_WAIT_S: Final = 0.05


class Turn:
    """One thread at a time steps the models or encodes readings.

    NumPy releases the interpreter's lock in each operation of some length. With arrays of a small
    fleet such an operation takes less time than the change to another thread, so that two threads
    that compute at once take longer than one after the other. A thread waits for its turn for
    50 ms at most, and then goes on without it.
    """

    def __init__(self, devices: int) -> None:
        """Make the turn of a run with this number of devices."""
        self._is_used = devices <= MOST_DEVICES
        self._turn = threading.Lock()
        # Held while waiting, so that a thread that comes back waits behind the one that waits.
        self._queue = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and have it in the block."""
        if not self._is_used:
            yield
            return
        has_turn = False
        if self._queue.acquire(timeout=_WAIT_S):
            try:
                has_turn = self._turn.acquire(timeout=_WAIT_S)
            finally:
                self._queue.release()
        try:
            yield
        finally:
            if has_turn:
                self._turn.release()
