"""The terminals on which a picture can be drawn in place."""

from __future__ import annotations

import os
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
