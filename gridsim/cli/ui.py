"""`--ui`: the choice between the live view, plain lines, and none."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridsim.cli.help import SHOWN

if TYPE_CHECKING:
    from gridsim.running.plan import Plan

LIVE_VIEW = "terminal"
"""The type of view that draws on the terminal."""
_CHOICES = ("auto", "live", "plain", "none")

Ui = Annotated[
    str,
    typer.Option(
        "--ui",
        metavar="|".join(_CHOICES),
        help="live: a picture of the run on the terminal; plain: a line every 5 s; none: no lines "
        "of progress; auto: live on a terminal, else plain.",
        rich_help_panel=SHOWN,
        autocompletion=lambda: list(_CHOICES),
    ),
]


class UiChoice:
    """The effect of `--ui`, decided before the plan is made, and applied to the plan."""

    def __init__(self, ui: str, *, log_json: bool) -> None:
        """Look at standard error and the environment. Raises typer.BadParameter."""
        if ui not in _CHOICES:
            raise typer.BadParameter(
                f"{ui!r} is not one of {', '.join(_CHOICES)}", param_hint="--ui"
            )
        from gridsim.terminals import unsuitable

        self._ui = ui
        problem = unsuitable(sys.stderr, os.environ)
        self._reason = f"standard error: {problem}" if problem else ""
        if log_json:
            self._reason = "the log is written as JSON"

    @property
    def views(self) -> Mapping[str, Mapping[str, Any]]:
        """The views that the plan gets in addition to those of the configuration, with settings."""
        return {LIVE_VIEW: {}} if self._ui in ("auto", "live") and not self._reason else {}

    @property
    def has_lines(self) -> bool:
        """True if a run without the live view logs lines of progress."""
        return self._ui != "none"

    def applied(self, plan: Plan) -> Plan:
        """Return the plan, without the live view if that cannot be drawn or was not requested.

        A warning has the reason if the user asked for the view.
        """
        from loguru import logger

        there = [one for one in plan.views if one.name.partition("#")[0] == LIVE_VIEW]
        reason = self._reason
        if not reason and any(one.transport.uses_stdout for one in plan.transports):
            reason = _torn_by_readings(self._ui)
        if not reason and self._ui in ("auto", "live"):
            return plan
        wanted = self._ui == "live" or (self._ui == "auto" and there and not self.views)
        if reason and wanted:
            logger.warning("the live view is not shown: {}", reason)
        return replace(plan, views=tuple(one for one in plan.views if one not in there))


def _torn_by_readings(ui: str) -> str:
    """Return the reason why readings on standard output would disrupt the picture; "" if none."""
    try:
        # The reader of a pipe, such as jq, usually writes to the terminal.
        if ui == "auto" and stat.S_ISFIFO(os.fstat(1).st_mode):
            return "the reader of standard output may write to the same terminal"
        if os.ttyname(1) == os.ttyname(2):
            return "readings are written to the same terminal"
    except OSError:
        pass
    return ""
