"""The views of a run with shards: each shard computes its part of what they show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    DeviceStates,
    DeviceView,
    Floats,
    History,
    Roster,
    RunStatus,
    SiteStates,
    Snapshot,
    Span,
)
from gridsim.contracts.part_status import ViewStatus
from gridsim.contracts.results import TickResult
from gridsim.running.control import RunControl, ViewedRun
from gridsim.running.monitor.answers import Answers
from gridsim.running.monitor.entries import Entries
from gridsim.running.monitor.monitor import MIN_INTERVAL_S
from gridsim.running.views import Views

_CLOSE_S: Final = 5.0
_HURRY_S: Final = 0.8
_WAIT_S: Final = 5.0
"""The time that a view waits for a shard, before it shows what it had."""
P = TypeVar("P", SiteStates, DeviceStates)


class ShardedRunViewed(ViewedRun, Protocol):
    """The part of a run with shards that its views use."""

    @property
    def tick(self) -> int:
        """The index of the next tick."""

    def ask(self, shard: int, question: Any, *arguments: Any) -> Future[Any]:
        """Ask a shard's monitor."""


class ShardedMonitor:
    """The monitor of a run with shards. A shard keeps the history and states of its projects, and
    sends what a view asks for, at the view's pace.
    """

    def __init__(self, run: ShardedRunViewed, bounds: Sequence[int]) -> None:
        """Keep the bounds: `bounds` has the index of the first project of each shard."""
        configuration = run.plan.configuration
        self.roster: Roster = configuration.scenario.roster
        self.answers = Answers()
        self._run = run
        self._bounds = np.array(bounds)
        self._start_ms, self._tick_ms = configuration.start_ms, configuration.tick_ms
        self._entries = Entries(configuration.timezone)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._made_at = 0.0

    def note(self, result: TickResult) -> None:
        """Take the facts of a tick."""
        self.answers.take(result.acknowledgements)
        with self._lock:
            self._entries.take(result, self._start_ms + result.tick * self._tick_ms)

    def close(self) -> None:
        """Do nothing: no view asks any more."""

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return the newest snapshot; it is at most 0.25 s old, or new with `fresh`."""
        with self._lock:
            last, made_at = self._snapshot, self._made_at
        now = time.monotonic()
        if last is not None and not fresh and now - made_at < MIN_INTERVAL_S:
            return last
        parts = self._every("snapshot")
        status: RunStatus = self._run.status()
        with self._lock:
            if parts is None:
                if self._snapshot is None:
                    raise ValueError("the shards of this run do not answer")
                # A run that has ended keeps its last states.
                self._snapshot = replace(self._snapshot, status=status)
            else:
                self._snapshot = self._joined(parts, status)
            self._made_at = now
            return self._snapshot

    def history(self, span: Span) -> History:
        """Return the fleet's past. Raises ValueError for an unknown span."""
        parts: Sequence[History] = self._every("history", span) or ()
        if not parts:
            nothing = np.empty(0)
            times = np.empty(0, np.int64)
            return History(times, {}, nothing, nothing, nothing, nothing)
        times = parts[0].time_ms
        for part in parts[1:]:
            times = np.intersect1d(times, part.time_ms)
        rows = [np.isin(part.time_ms, times) for part in parts]
        kinds = sorted({kind for part in parts for kind in part.kw})

        def summed(column: Callable[[History], Floats | None]) -> Floats:
            total = np.zeros(len(times))
            for part, own in zip(parts, rows, strict=True):
                if (values := column(part)) is not None:
                    total = total + values[own]
            return total

        return History(
            time_ms=times,
            kw={kind: summed(lambda part, kind=kind: part.kw.get(kind)) for kind in kinds},  # type: ignore[misc]
            load_kw=summed(lambda part: part.load_kw),
            target_kw=summed(lambda part: part.target_kw),
            delivered_kw=summed(lambda part: part.delivered_kw),
            violating=summed(lambda part: part.violating),
        )

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s."""
        shard = np.searchsorted(self._bounds, projects, side="right") - 1
        found: Floats | None = None
        for index in np.unique(shard).tolist():
            rows = shard == index
            own = projects[rows] - self._bounds[index]
            values = self._run.ask(index, "project_history", own).result(_WAIT_S)
            if found is None:
                found = np.full((len(projects), *values.shape[1:]), np.nan, values.dtype)
            found[rows] = values
        return np.empty((0, 60), np.float32) if found is None else found

    def watch(self, der_id: str) -> DeviceView:
        """Return the view of one device, and keep recording it for the next 30 s."""
        try:
            device = list(self.roster.der_id).index(der_id)
        except ValueError:
            raise KeyError(der_id) from None
        project = int(self.roster.project[device])
        shard = int(np.searchsorted(self._bounds, project, side="right")) - 1
        view: DeviceView = self._run.ask(shard, "watch", der_id).result(_WAIT_S)
        return view

    def _every(self, question: str, *arguments: Any) -> list[Any] | None:
        """Ask all shards at once; None if one does not answer."""
        futures = [self._run.ask(index, question, *arguments) for index in range(len(self._bounds))]
        try:
            return [future.result(_WAIT_S) for future in futures]
        except Exception:
            return None

    def _joined(self, parts: Sequence[Snapshot], status: RunStatus) -> Snapshot:
        kinds = sorted({kind for part in parts for kind in part.kw})
        names = dict.fromkeys(name for part in parts for name in part.running_events)
        return Snapshot(
            status=status,
            tick=min(part.tick for part in parts),
            time_ms=min(part.time_ms for part in parts),
            kw={kind: sum(part.kw.get(kind, 0.0) for part in parts) for kind in kinds},
            load_kw=sum(part.load_kw for part in parts),
            baseline_kw=sum(part.baseline_kw for part in parts),
            target_kw=sum(part.target_kw for part in parts),
            delivered_kw=sum(part.delivered_kw for part in parts),
            online=sum(part.online for part in parts),
            sites=_concatenated([part.sites for part in parts]),
            devices=_concatenated([part.devices for part in parts]),
            entries=self._entries.newest(),
            running_events=tuple(names),
            open_faults=self._entries.open_faults(),
        )


def _concatenated(parts: Sequence[P]) -> P:
    """Return the columns of all shards, in the order of the roster, read-only."""
    names = type(parts[0]).__dataclass_fields__
    columns = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
    for column in columns.values():
        column.flags.writeable = False
    return type(parts[0])(**columns)


class ShardedViewing:
    """The views of a run with shards; without a view in the plan it does nothing."""

    def __init__(self, run: ShardedRunViewed, bounds: Sequence[int]) -> None:
        """Start nothing."""
        self._monitor: ShardedMonitor | None = None
        self._views: Views | None = None
        if run.plan.views:
            self._monitor = ShardedMonitor(run, bounds)
            control = RunControl(run, self._monitor)
            self._views = Views(run.plan.views, control, self._monitor, lambda: run.tick)

    def start(self, stopping: threading.Event) -> None:
        """Start all views, and wait a while until they have started."""
        if self._views is not None:
            self._views.start(stopping)

    def note(self, result: TickResult) -> None:
        """Note the result of a tick."""
        if self._monitor is not None:
            self._monitor.note(result)

    def refresh(self) -> None:
        """Keep the states of the last tick, because the shards end."""
        if self._monitor is not None:
            self._monitor.snapshot(fresh=True)

    def close(self, *, hurry: bool) -> bool:
        """Close all views; return whether they closed in time."""
        return self._views is None or self._views.close(_HURRY_S if hurry else _CLOSE_S)

    def hanging(self, limit_s: float) -> dict[str, str]:
        """Return the views that hang, each with the method that runs."""
        shown = () if self._views is None else self._views.shown
        found = {f"view {one.name}": one.hanging_in(limit_s) for one in shown}
        return {name: method for name, method in found.items() if method}

    def status(self, limit_s: float) -> tuple[ViewStatus, ...]:
        """Return the status of every view."""
        return () if self._views is None else self._views.status(limit_s)
