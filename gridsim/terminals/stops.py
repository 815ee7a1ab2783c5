"""The stops of this process by Ctrl-Z."""

from __future__ import annotations

import signal
import threading
from typing import Final


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
            # Sent to this thread, so that the process stops before the next line. If no process
            # could continue it, the system ignores the signal.
            signal.pthread_kill(threading.get_ident(), number)
            signal.signal(number, before)


STOPS: Final = Stops()
