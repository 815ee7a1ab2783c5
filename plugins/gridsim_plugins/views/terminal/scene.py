"""Everything that one picture shows, and the pieces that its panels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gridsim.api import Floats, History, Roster, RunStatus, Snapshot
from gridsim_plugins.views.terminal.rates import ScreenRates
from gridsim_plugins.views.terminal.theme import QUIET, STRONG, Glyphs
from gridsim_plugins.views.terminal.words import clean


@dataclass(slots=True)
class Widths:
    """The widths of columns, which grow with their contents and never shrink."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, column: str, texts: Sequence[str], least: int = 0, most: int = 1000) -> int:
        """Return the width of a column that has these texts now."""
        widest = max((cell_len(text) for text in texts), default=0)
        self.known[column] = max(min(widest, most), self.known.get(column, least))
        return min(self.known[column], most)


@dataclass(frozen=True, slots=True)
class Scene:
    """A snapshot with the history, the rates and the style of its picture."""

    snapshot: Snapshot
    roster: Roster
    history: History
    project_history: Callable[[NDArray[np.intp]], Floats]
    rates: ScreenRates
    glyphs: Glyphs
    colours: dict[str, str]
    widths: Widths

    @property
    def status(self) -> RunStatus:
        """The status of the run."""
        return self.snapshot.status

    def cut(self, text: str, width: int) -> str:
        """Return text from elsewhere without control characters, with exactly this width."""
        text = clean(text)
        if cell_len(text) <= width:
            return set_cell_size(text, width)
        return set_cell_size(set_cell_size(text, max(width - 1, 0)).rstrip(), max(width - 1, 0)) + (
            self.glyphs.dots if width else ""
        )

    def heading(
        self, title: str, first: int, columns: Sequence[tuple[str, int]], width: int
    ) -> Text:
        """Return the first line of a panel: its title and headings, then a rule.

        The title has `first` columns; each heading is at the right of its own columns.
        """
        rule = self.glyphs.rule
        line = Text.assemble((title, STRONG), " " * (first - cell_len(title)), no_wrap=True)
        for name, size in columns:
            line.append(f"{name:>{size}}", QUIET)
        rest = width - line.cell_len - 1
        line.append(f" {rule * rest}" if rest > 0 else "", QUIET)
        return end_of(line, width)


def spaced(left: Text, right: Text, width: int, rule: str = "") -> Text:
    """Return two texts on one line, the second at the right; it is left out if both do not fit.

    With `rule` a line of that character joins them.
    """
    gap = width - left.cell_len - right.cell_len
    if gap < 1 or (not right.cell_len and not rule):
        return end_of(left.copy(), width)
    ends = 1 + bool(right.cell_len)
    between = f" {rule * (gap - ends)}{' ' * (ends - 1)}" if rule and gap > ends else " " * gap
    return Text.assemble(left, (between, QUIET), right, no_wrap=True)


def end_of(text: Text, width: int) -> Text:
    """Return a line of at most this width."""
    text.truncate(width)
    return text
