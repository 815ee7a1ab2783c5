"""The bar of `gridsim verify` and `gridsim bench`: on a terminal, with the time left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gridsim.text.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar


class Reporter(Progress):
    """The lines and the progress of a command, on standard error. Without a bar it prints only the
    lines.
    """

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)


class _BarReporter(Reporter):
    """A reporter with a bar below the lines."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", visible=False)

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def begin(self, phase: str, total: float | None = None) -> None:
        # A task that is reset keeps its total if the new total is unknown.
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(phase, total=total)
        self._bar.refresh()

    def advance(self, parts: float = 1.0) -> None:
        self._bar.advance(self._task, parts)


def left(total: float | None, done: float, percentage: float, seconds: float | None) -> str:
    """Return the completed part and the time left in words, as far as they are known."""
    if total is None:
        return f"{done:,.0f} so far" if done else ""
    if seconds is None:
        return f"{percentage:3.0f} %"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{percentage:3.0f} %  {clock} left"


@contextmanager
def reporter() -> Iterator[Reporter]:
    """Yield a reporter, with a bar on a terminal that can show one."""
    from gridsim.terminals import typed_rows, unsuitable

    if unsuitable(sys.stderr, os.environ):
        yield Reporter()
        return
    from rich.console import Console

    class SteadyConsole(Console):
        """A console that never hides the cursor: a process that is killed could not restore it."""

        def show_cursor(self, show: bool = True) -> bool:
            """Return False: nothing was changed."""
            return False

    typed_rows(sys.stderr, 1)
    with bar_on(SteadyConsole(file=sys.stderr)) as reporter:
        yield reporter


@contextmanager
def bar_on(console: Console) -> Iterator[Reporter]:
    """Yield a reporter with a bar on a console."""
    from rich.console import ConsoleRenderable, RenderHook
    from rich.control import Control
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as Bar
    from rich.segment import ControlType
    from rich.text import Text

    from gridsim.terminals import typed_rows

    class Typed(RenderHook):
        """The console hook that moves the cursor up over the lines that a user typed below the
        bar.
        """

        def process_renderables(
            self, renderables: list[ConsoleRenderable]
        ) -> list[ConsoleRenderable]:
            """Return what is printed, after the removal of those lines."""
            rows = typed_rows(console.file, console.width)
            up = Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            return [*[up] * rows, *renderables]

    class Left(ProgressColumn):
        """The completed part and the time left, if the number of parts is known."""

        def render(self, task: Task) -> Text:
            """Return the text."""
            words = left(task.total, task.completed, task.percentage, task.time_remaining)
            return Text(words)

    columns = TextColumn("{task.description}", markup=False), BarColumn(), Left()
    with Bar(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        console.push_render_hook(Typed())
        try:
            yield _BarReporter(bar)
        finally:
            console.pop_render_hook()
