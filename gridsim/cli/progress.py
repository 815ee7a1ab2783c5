"""The bar of `gridsim verify` and `gridsim bench`: on a terminal, with the time left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gridsim.text.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Reporter(Progress):
    """The lines and the progress of a command, on standard error. Without a bar: the lines."""

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)


class _BarReporter(Reporter):
    """The same with a bar, below the lines."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", visible=False)

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, phase: str, total: float | None = None) -> None:
        self._bar.reset(self._task, total=total, description=phase, visible=True)

    def advance(self, parts: float = 1.0) -> None:
        self._bar.advance(self._task, parts)


@contextmanager
def reporter() -> Iterator[Reporter]:
    """Yield a reporter, with a bar on a terminal that can show one."""
    from gridsim.helpers.terminals import unsuitable

    if unsuitable(sys.stderr, os.environ):
        yield Reporter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    class SteadyConsole(Console):
        """A console that never hides the cursor: a process that is killed could not restore it."""

        def show_cursor(self, show: bool = True) -> bool:
            """Return False: nothing was changed."""
            return False

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = SteadyConsole(file=sys.stderr)
    with Bar(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        yield _BarReporter(bar)
