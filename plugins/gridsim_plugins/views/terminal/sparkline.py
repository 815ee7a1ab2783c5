"""A chart of one line: a bar for each column."""

from __future__ import annotations

import numpy as np
from rich.text import Text

from gridsim.api import Floats
from gridsim_plugins.views.terminal.theme import Glyphs

# The numbers of samples that one column may cover.
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 120)


def columns_of(values: Floats, first: int, width: int) -> Floats:
    """Return at most `width` means of neighbouring samples, the oldest first.

    `first` is the number of the first sample. Columns begin at multiples of their size, so that
    the picture moves by whole columns.
    """
    if not len(values) or width < 1:
        return values[:0]
    last = first + len(values)
    step = next((step for step in _STEPS if -(-last // step) - first // step <= width), _STEPS[-1])
    starts = np.arange(first // step, -(-last // step)) * step
    begins = np.maximum(starts - first, 0)
    sums = np.add.reduceat(values, begins)
    counts = np.diff(np.append(begins, len(values)))
    return (sums / counts)[-width:]


def sparkline(values: Floats, glyphs: Glyphs, style: str) -> Text:
    """Return a bar for each value: from the bottom where it is positive, else from the top.

    All bars have the same scale. A bar from the top is the remaining part in reverse video.
    """
    line = Text(no_wrap=True)
    if not len(values):
        return line
    top = float(np.nanmax(np.abs(values), initial=0.0))
    levels = glyphs.levels
    for value in values.tolist():
        if value != value or top < 0.005:
            line.append(" " if value != value else levels[0], style)
            continue
        if value >= 0.0:
            line.append(levels[max(round(value / top * len(levels)), 1) - 1], style)
        else:
            height = max(round(-value / top * len(levels)), 1)
            line.append(levels[len(levels) - height], f"{style} reverse")
    return line


def histogram(values: Floats, low: float, high: float, width: int, glyphs: Glyphs) -> Text:
    """Return the distribution of the values over `width` columns from `low` to `high`."""
    counts, _ = np.histogram(values, bins=width, range=(low, high))
    levels = glyphs.levels
    top = max(int(counts.max(initial=0)), 1)
    heights = [-(-int(n) * len(levels) // top) for n in counts]
    return Text("".join(levels[height - 1] if height else " " for height in heights))
