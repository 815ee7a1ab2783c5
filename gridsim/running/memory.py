"""Memory that the process has freed, and that its allocator keeps."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 10.0
"""The shortest time between two returns."""
SHARE: Final = 1 / 500
"""The largest part of the time that returning may take: in a large process it is done less often.
"""


class FreedMemory:
    """The return of freed memory to the operating system, from time to time.

    The GNU C library keeps what a thread has freed for that thread's next allocations. The arrays
    of a tick are made in one thread and freed in another, several megabytes at a time, and more
    after an outage: without a return, the process would keep the peaks of all its threads for good,
    and its memory would grow for hours without any object that stays. Other C libraries return
    memory by themselves; there, nothing is done.
    """

    def __init__(
        self,
        trim: Callable[[], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Return nothing yet; `trim` is the system's function unless given."""
        self._trim = trim or system_trim()
        self._monotonic = monotonic
        self._next_s = monotonic() + EVERY_S

    def look(self) -> None:
        """Return freed memory if that is due. Call it a few times a second, from any one thread."""
        if self._trim is None or (began_s := self._monotonic()) < self._next_s:
            return
        self._trim()
        ended_s = self._monotonic()
        self._next_s = ended_s + max(EVERY_S, (ended_s - began_s) / SHARE)


def system_trim() -> Callable[[], object] | None:
    """Return the C library's function that returns freed memory, or None if it has none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    # The interpreter's other threads run meanwhile.
    return lambda: trim(0)
