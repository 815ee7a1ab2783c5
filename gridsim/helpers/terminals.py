"""The terminals on which a picture can be drawn in place, and the stops by Ctrl-Z."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from typing import Final, TextIO

MIN_COLUMNS: Final = 60
MIN_LINES: Final = 16


def unsuitable(stream: TextIO | None, environment: Mapping[str, str]) -> str:
    """Return the reason why no picture can be drawn in place on a stream; "" if it can be."""
    if stream is None:
        return "it is closed"
    try:
        if not stream.isatty():
            return "it is not a terminal"
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return "it is not a terminal"
    term = environment.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        return f"the terminal cannot move its cursor (TERM={term})"
    # A terminal that does not know its size reports zeros.
    if 0 < size.columns < MIN_COLUMNS or 0 < size.lines < MIN_LINES:
        return (
            f"the window has {size.columns} columns and {size.lines} lines, and the live view "
            f"needs {MIN_COLUMNS} and {MIN_LINES}"
        )
    return ""


class Stops:
    """The stops of this process by Ctrl-Z (SIGTSTP)."""

    def __init__(self) -> None:
        self.drawing = threading.RLock()
        """Held while a picture is drawn: a stop waits until it is complete."""
        self.count = 0
        """The number of stops so far: after each, other output is below the picture."""

    def stop(self, number: int, _: object) -> None:
        """Stop this process until it is continued. A signal handler: called in the main thread."""
        with self.drawing:
            self.count += 1
            before = signal.signal(number, signal.SIG_DFL)
            # To this thread, so that the process is stopped before the next line. Where nobody
            # could continue it, the system ignores the signal.
            signal.pthread_kill(threading.get_ident(), number)
            signal.signal(number, before)


STOPS: Final = Stops()
