"""The characters and styles of the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gridsim.helpers.colours import hues


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that the picture draws with."""

    levels: str
    """The bars of a sparkline, from the lowest to the highest, which leaves a gap above it."""
    rule: str
    done: str
    """The part of a progress bar that is done."""
    rest: str
    mark: str
    """The mark of a type, in its colour."""
    dots: str
    """The mark at the end of a text that was cut."""


UNICODE = Glyphs("▁▂▃▄▅▆▇", "─", "━", "─", "■", "…")
ASCII = Glyphs("_.-=+*#", "-", "#", "-", "*", "~")

# The hues of Okabe and Ito, darkened so that a mark has a contrast of at least 3 to 1 on white and
# on black: the background of a terminal is not known.
_MARKS = {
    "orange": "#C18500",
    "green": "#009E73",
    "purple": "#C876A4",
    "sky": "#4898C6",
    "vermillion": "#D55E00",
    "blue": "#0072B2",
    "yellow": "#9B9327",
}

QUIET = "dim"
STRONG = "bold"
BAD = "bold #D1242F"
"""Violations and losses, and nothing else."""
FAULT = "#C18500"
"""Injected faults."""


def colours(types: Iterable[str]) -> dict[str, str]:
    """Return the style of each type's marks."""
    return {name: _MARKS[hue] for name, hue in hues(types).items()}
