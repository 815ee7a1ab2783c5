"""The views of a run together with the monitor that they read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from gridsim.contracts.part_status import ViewStatus
from gridsim.contracts.results import TickResult
from gridsim.delivery import MessageTrace
from gridsim.running.control import RunControl, ViewedRun
from gridsim.running.monitor import Monitor
from gridsim.running.plan import Plan
from gridsim.running.views import ShownView, Views

# How long views may take to close: after the last tick, and when a run is stopped early.
_CLOSE_S: Final = 5.0
_HURRY_S: Final = 0.8


class Viewing:
    """The views of a run and their monitor; without a view in the plan it does nothing."""

    def __init__(self, run: ViewedRun, tick: Callable[[], int], *, monitored: bool = False) -> None:
        """Start nothing. `tick` returns the index of the next tick.

        `monitored`: views in another process show the run, so that it needs a monitor.
        """
        self._run, self._tick, self._monitored = run, tick, monitored
        self.trace: MessageTrace | None = None
        """The messages of the watched devices, for delivery and the sources."""
        self.monitor: Monitor | None = None
        self._views: Views | None = None
        self._make(run.plan)

    def change(self, plan: Plan) -> Views | None:
        """Watch the devices of a new plan from now on; return the views until then.

        Called between two ticks. Close the returned views, then call `start`.
        """
        older, self._views = self._views, None
        self.trace = self.monitor = None
        self._make(plan)
        return older

    def _make(self, plan: Plan) -> None:
        if not (plan.views or self._monitored):
            return
        configuration = plan.configuration
        self.trace = MessageTrace(configuration.scenario.roster)
        self.monitor = Monitor(
            configuration.scenario,
            self._run.status,
            timezone=configuration.timezone,
            ledger=None if plan.ledger is None else plan.ledger.path,
            trace=self.trace,
        )
        if not plan.views:
            return
        control = RunControl(self._run, self.monitor)
        self._views = Views(plan.views, control, self.monitor, self._tick)

    def start(self, stopping: threading.Event) -> None:
        """Start all views, and wait a while until they have started."""
        if self._views is not None:
            self._views.start(stopping)

    def note(self, result: TickResult) -> None:
        """Note the result of a tick."""
        if self.monitor is not None:
            self.monitor.note(result)

    def close(self, *, hurry: bool) -> bool:
        """Show the run once more and close all views; return whether they closed in time."""
        return self._views is None or self._views.close(_HURRY_S if hurry else _CLOSE_S)

    @property
    def shown(self) -> Sequence[ShownView]:
        """The views, in the order of the configuration."""
        return () if self._views is None else self._views.shown

    def status(self, limit_s: float) -> tuple[ViewStatus, ...]:
        """Return the status of every view; one that has not returned for `limit_s` hangs."""
        return () if self._views is None else self._views.status(limit_s)
