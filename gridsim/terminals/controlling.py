"""The controlling terminal of the process, and whether it has closed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

_DEVICE: Final = "/dev/tty"
# A terminal that closes sends SIGHUP at once. A process that gets none of it, such as one that its
# shell has disowned, then runs on without a terminal.
_AT_ONCE_S: Final = 2.0


def _is_open() -> bool:
    try:
        descriptor = os.open(_DEVICE, os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return False
    os.close(descriptor)
    return True


class ControllingTerminal:
    """The terminal from which the process was started, if there is one.

    SIGHUP is the signal of a terminal that closes, and by convention also the request to reload a
    configuration. They differ in whether the terminal can still be opened.
    """

    def __init__(
        self,
        is_open: Callable[[], bool] = _is_open,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_open, self._monotonic = is_open, monotonic
        self._had = is_open()
        self._missed_at: float | None = None

    def look(self) -> None:
        """Note whether the terminal is there; called a few times per second."""
        if not self._had or self._is_open():
            self._missed_at = None
        elif self._missed_at is None:
            self._missed_at = self._monotonic()
        elif self._monotonic() - self._missed_at > _AT_ONCE_S:
            self._had = False

    def has_closed(self) -> bool:
        """Return whether the terminal has just closed."""
        return self._had and not self._is_open()
