"""The picture of a run: its scene is made from each snapshot, composed, and drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from gridsim.api import Floats, History, Roster, Snapshot
from gridsim_plugins.views.terminal.layout import compose
from gridsim_plugins.views.terminal.rates import ScreenRates
from gridsim_plugins.views.terminal.scene import Scene, Widths
from gridsim_plugins.views.terminal.screen import Screen
from gridsim_plugins.views.terminal.theme import ASCII, UNICODE, Glyphs, colours


class Scenes:
    """The sequence of a run's scenes, which share the rates and the widths of columns."""

    def __init__(self, roster: Roster, glyphs: Glyphs = UNICODE) -> None:
        self._roster = roster
        self._glyphs = glyphs
        self._colours = colours(roster.type)
        self._rates = ScreenRates()
        self._widths = Widths()

    def next(
        self,
        snapshot: Snapshot,
        history: History,
        project_history: Callable[[NDArray[np.intp]], Floats],
        now_s: float,
    ) -> Scene:
        """Return the scene of a snapshot; `now_s` is a monotonic time."""
        self._rates.note(snapshot.status, now_s)
        return Scene(
            snapshot,
            self._roster,
            history,
            project_history,
            self._rates,
            self._glyphs,
            self._colours,
            self._widths,
        )


class Picture:
    """The picture of one run on a terminal."""

    def __init__(self, stream: TextIO, roster: Roster) -> None:
        """Change nothing yet."""
        self._screen = Screen(stream)
        self._scenes = Scenes(roster, UNICODE if _has_blocks(stream) else ASCII)

    def open(self) -> None:
        """Send other output above the picture."""
        self._screen.open()

    def draw(
        self,
        snapshot: Snapshot,
        history: History,
        project_history: Callable[[NDArray[np.intp]], Floats],
        now_s: float,
    ) -> None:
        """Draw the picture of a snapshot."""
        scene = self._scenes.next(snapshot, history, project_history, now_s)
        lines: list[Text] = compose(scene, *self._screen.size())
        self._screen.draw(lines)

    def close(self) -> None:
        """Leave the last picture where it is."""
        self._screen.close()


def _has_blocks(stream: TextIO) -> bool:
    try:
        UNICODE.levels.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
