"""The picture at the bottom of a terminal: drawn in place, with other output above it.

A crash or kill -9 at any moment leaves the terminal usable: its modes are never changed, the cursor
stays visible, and it is below the picture between two writes. The echo stays on, too. Lines that a
user types are read and counted, so that the next frame begins where the picture is.
"""

from __future__ import annotations

import io
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from gridsim.terminals import STOPS, typed_rows

# Terminals with synchronised output show a whole frame at once; the others ignore these sequences.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
_DEFAULT_SIZE = os.terminal_size((80, 24))
# Colours and other styles; all other escape sequences and control characters are removed.
_STYLE = re.compile(r"(\x1b\[[0-9;:]*m)")
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b.?|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)
# With many lines above it, the picture is drawn at most this often, seconds.
_REDRAW_S = 0.05


class Screen:
    """A picture on a terminal. Lines that others write to standard error appear above it."""

    def __init__(self, stream: TextIO) -> None:
        """Change nothing yet. `stream` is a terminal."""
        self._stream = stream
        self._console = Console(
            file=stream, force_terminal=True, highlight=False, markup=False, emoji=False
        )
        self._lock = STOPS.drawing
        self._stops = STOPS.count
        self._lines: list[str] = []
        """The picture as last drawn, with its styles."""
        self._cells: list[int] = []
        """The widths of its lines."""
        self._is_there = False
        """True while the picture is on the terminal, just above the cursor."""
        self._drawn_at = 0.0
        self._above = Above(self)
        self._before: dict[str, TextIO] = {}

    def size(self) -> os.terminal_size:
        """Return the size of the terminal now."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return _DEFAULT_SIZE
        return size if size.columns and size.lines else _DEFAULT_SIZE

    @property
    def stream(self) -> TextIO:
        """The terminal."""
        return self._stream

    def open(self) -> None:
        """Send what is written to standard error above the picture, until `close`."""
        typed_rows(self._stream, self.size().columns)
        for name in ("stderr", "stdout"):
            stream = getattr(sys, name)
            if self._is_same_terminal(stream):
                self._before[name] = stream
                setattr(sys, name, self._above)

    def draw(self, picture: Sequence[Text]) -> None:
        """Replace the picture."""
        with self._lock:
            start = self._back_to_start()
            self._lines = [self._styled(line) for line in picture]
            self._cells = [line.cell_len for line in picture]
            self._write(start + self._picture())

    def write_above(self, text: str) -> None:
        """Write whole lines above the picture."""
        with self._lock:
            out = self._back_to_start() + _CLEAR_BELOW + text
            if time.monotonic() - self._drawn_at >= _REDRAW_S:
                out += self._picture()
            self._write(out)

    def close(self) -> None:
        """Leave the picture where it is; later output appears below it."""
        with self._lock:
            for name, stream in self._before.items():
                if getattr(sys, name) is self._above:
                    setattr(sys, name, stream)
            self._before = {}
            self._above.finish()
            self._lines, self._cells, self._is_there = [], [], False

    # Called with the lock held.

    def _styled(self, line: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end="", no_wrap=True, overflow="ignore", crop=False)
        return capture.get()

    def _back_to_start(self) -> str:
        """Return the sequence that moves the cursor to where the picture begins."""
        columns = self.size().columns
        rows = typed_rows(self._stream, columns)
        if self._is_there:
            # A terminal that has become narrower has wrapped the lines.
            rows += sum(max(-(-cells // columns), 1) for cells in self._cells)
        self._is_there = False
        if self._stops != STOPS.count:
            # The shell has written below the picture, which stays where it is.
            self._stops, rows = STOPS.count, 0
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _picture(self) -> str:
        self._is_there = True
        self._drawn_at = time.monotonic()
        return "".join(f"{line}{_CLEAR_LINE}\n" for line in self._lines) + _CLEAR_BELOW

    def _write(self, text: str) -> None:
        self._stream.write(f"{_BEGIN}{text}{_END}")
        self._stream.flush()

    def _is_same_terminal(self, stream: TextIO | None) -> bool:
        if stream is None or stream is self._stream:
            return stream is not None
        try:
            return os.ttyname(stream.fileno()) == os.ttyname(self._stream.fileno())
        except (OSError, ValueError):
            return False


class Above(io.TextIOBase):
    """A stream in place of standard error that writes whole lines above a picture."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._part = ""
        """The beginning of a line that has not ended."""
        self._writing = threading.RLock()

    def write(self, text: str) -> int:
        """Write the lines that are complete, and keep the rest."""
        with self._writing:
            lines, newline, self._part = (self._part + text).rpartition("\n")
            if newline:
                self._screen.write_above(harmless(lines) + "\n")
        return len(text)

    def finish(self) -> None:
        """Write the rest as a line."""
        if self._part:
            self.write("\n")

    def isatty(self) -> bool:
        """Return True: it is shown on a terminal."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor of the terminal."""
        return self._screen.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the terminal."""
        return self._screen.stream.encoding


def harmless(text: str) -> str:
    """Return the text without control sequences that would disrupt the picture; styles stay."""
    lines = []
    for line in text.split("\n"):
        parts = _STYLE.split(line)
        parts[::2] = [_CONTROL.sub("", part) for part in parts[::2]]
        lines.append("".join(parts) + ("\x1b[0m" if len(parts) > 1 else ""))
    return "\n".join(lines)
