"""The view `terminal`: the run as a picture at the bottom of the terminal."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from gridsim.api import Control, Register, RunContext, Settings, Snapshot, View, hookimpl
from gridsim.terminals import unsuitable

if TYPE_CHECKING:
    from gridsim_plugins.views.terminal.picture import Picture

# Up to this speed the sparklines show the last 15 minutes, above it the last day.
_SLOW = 10.0


class TerminalView(View[Settings]):
    """The run as a picture that is drawn in place on standard error.

    It shows the state, clock and progress of the run, the power by type, the contracts, the
    transports, and the last events, faults and commands. Lines of the log appear above it. If
    standard error is not a terminal, or if the window is too small, nothing is shown.
    """

    def __init__(self, settings: Settings, run: RunContext) -> None:
        super().__init__(settings, run)
        self._picture: Picture | None = None
        self._control: Control | None = None
        self._reason = ""

    def describe(self) -> str:
        """Return the reason why nothing is shown, if there is one."""
        return f"not shown on standard error: {self._reason}" if self._reason else ""

    def start(self, control: Control) -> None:
        """Open the terminal, and show the run before its first tick."""
        self._reason = unsuitable(sys.stderr, os.environ)
        if self._reason:
            return
        # Imported only when it is used, because importing rich takes 30 ms.
        from gridsim_plugins.views.terminal.picture import Picture

        self._control = control
        self._picture = Picture(sys.stderr, control.roster)
        self._picture.open()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the picture."""
        if self._picture is None or self._control is None:
            return
        is_slow = 0.0 < snapshot.status.speed <= _SLOW
        history = self._control.history("15m" if is_slow else "1d")
        self._picture.draw(snapshot, history, self._control.project_history, now_s=time.monotonic())

    def close(self) -> None:
        """Leave the last picture on the terminal."""
        if self._picture is not None:
            self._picture.close()
            self._picture = None


@hookimpl
def gridsim_register(register: Register) -> None:
    register.view("terminal", TerminalView)
