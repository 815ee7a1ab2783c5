"""Writes docs/pictures/terminal.svg: the terminal view in the middle of the event of the demo.

    python docs/make_terminal_picture.py [SVG] [--size COLUMNSxLINES] [--light]

It runs `gridsim demo` for half a minute, with its own broker, and draws what the view draws then.
"""

from __future__ import annotations

import argparse
import io
import re
import time
from dataclasses import replace
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, TerminalTheme
from rich.text import Text

from gridsim import logs
from gridsim.api import Control, RunContext, Settings, Snapshot, View
from gridsim.config.resolve import Flags
from gridsim.running.plan import DEMO_CONFIG, Options, PlannedView, make_plan
from gridsim.running.run import Run
from gridsim_plugins.views.terminal.layout import compose
from gridsim_plugins.views.terminal.picture import Scenes

PAGE = Path(__file__).parent / "pictures" / "terminal.svg"
AT_MS = 1_784_042_580_000
"""2026-07-14T12:23:00-03:00, when the event has run for 23 minutes."""
DARK = TerminalTheme(
    (16, 20, 24),
    (222, 226, 230),
    [
        *((40, 44, 52), (209, 36, 47), (0, 158, 115), (193, 133, 0)),
        *((0, 114, 178), (200, 118, 164), (72, 152, 198), (222, 226, 230)),
    ],
)
# The picture must not load fonts from elsewhere.
FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", FONT
)


class Camera(View[Settings]):
    """A view that keeps what the terminal view draws at one moment."""

    def __init__(self, settings: Settings, run: RunContext, size: tuple[int, int]) -> None:
        super().__init__(settings, run)
        self.size = size
        self.lines: list[Text] = []
        self._scenes = Scenes(run.roster)

    def start(self, control: Control) -> None:
        """Keep the control, for the past of the run."""
        self._control = control

    def show(self, snapshot: Snapshot) -> None:
        """Draw the picture until the moment has come."""
        if self.lines:
            return
        control = self._control
        scene = self._scenes.next(
            snapshot, control.history("1d"), control.project_history, time.monotonic()
        )
        lines = compose(scene, *self.size)
        if snapshot.time_ms >= AT_MS:
            self.lines = lines

    def close(self) -> None:
        """Do nothing."""


def photograph(size: tuple[int, int]) -> list[Text]:
    """Run the demo until the picture is taken."""
    plan = make_plan(Options(DEMO_CONFIG, "2h", Flags(speed=60.0)))
    view = Camera(Settings(), plan.transports[0].transport.run, size)
    with Run(replace(plan, views=(PlannedView("camera", view),))) as run:
        while not view.lines and not run.wait(0.1):
            pass
    return view.lines


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", nargs="?", type=Path, default=PAGE)
    parser.add_argument("--size", default="100x32")
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    logs.configure("warning", as_json=False)
    columns, rows = map(int, options.size.split("x"))
    console = Console(
        width=columns,
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    for line in photograph((columns, rows)):
        console.print(line, no_wrap=True, overflow="ignore", crop=False, highlight=False)
    console.print()
    options.path.parent.mkdir(exist_ok=True)
    theme = DEFAULT_TERMINAL_THEME if options.light else DARK
    svg = console.export_svg(title="gridsim demo", theme=theme, code_format=FORMAT)
    options.path.write_text(svg)


if __name__ == "__main__":
    main()
