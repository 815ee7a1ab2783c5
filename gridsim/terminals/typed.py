"""The lines that a user types while a picture is drawn: the terminal shows them below it."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import IO

_MOST = 4096
_CONTROL = 32
"""Characters below it are shown as two characters, such as ^A."""

if sys.platform == "win32":

    def typed_rows(stream: IO[str], columns: int) -> int:
        """Return 0, because the Windows console does not show typed lines."""
        return 0

else:
    import termios

    def typed_rows(stream: IO[str], columns: int) -> int:
        """Read the lines typed so far, and return the rows that the terminal has shown of them.

        A line that is not complete stays in the terminal: the next frame clears it.
        """
        # A process in the background gets an error instead of being stopped.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
        try:
            number = stream.fileno()
            modes = termios.tcgetattr(number)[3]
            if not (modes & termios.ECHO and modes & termios.ICANON):
                return 0
            text = b""
            while len(text) < _MOST and select.select([number], [], [], 0)[0]:
                part = os.read(number, _MOST)
                if not part:
                    break
                text += part
        except (OSError, ValueError, termios.error):
            return 0
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return sum(_rows(line, columns) for line in text.split(b"\n")[:-1])


def _rows(line: bytes, columns: int) -> int:
    from rich.cells import cell_len  # imported where a picture is drawn: it takes 30 ms

    text = line.decode(errors="replace")
    cells = cell_len(text) + sum(2 for one in text if ord(one) < _CONTROL)
    return max(-(-cells // columns), 1)
