"""The monitor of a run: it turns results into snapshots and histories for its views."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    DISABLED,
    OFFLINE,
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
from gridsim.contracts.results import TickResult
from gridsim.contracts.truth import TickTruth
from gridsim.delivery import MessageTrace
from gridsim.running.monitor.answers import Answers
from gridsim.running.monitor.entries import Entries
from gridsim.running.monitor.orders import OpenCommands
from gridsim.running.monitor.past import DevicePast
from gridsim.running.monitor.states import EventStates, device_states, site_states
from gridsim.running.monitor.totals import Counter, Histories, Totals
from gridsim.running.monitor.watching import Watching
from gridsim.running.subscription import joined, size_of
from gridsim.simulation.scenario import Scenario

MIN_INTERVAL_S = 0.25
"""The shortest real time between two snapshots."""
_WAITING_BYTES = 64_000_000
"""The limit of the results that wait for the next snapshot; beyond it, the values of the oldest are
dropped.
"""
_CHUNK = 1_000_000
"""The number of values that are summed at once."""


class Monitor:
    """The newest snapshot, the histories and the watched devices of one run.

    `note` is called in the engine's thread, and keeps the results; all other work is done by the
    callers of the other methods, which may be called from any thread.
    """

    def __init__(
        self,
        scenario: Scenario,
        status: Callable[[], RunStatus],
        *,
        timezone: str = "UTC",
        ledger: Path | None = None,
        trace: MessageTrace | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        waiting_bytes: int = _WAITING_BYTES,
    ) -> None:
        self.roster: Roster = scenario.roster
        self.answers = Answers()
        self._status = status
        self._monotonic = monotonic
        self._start_ms, self._tick_ms = scenario.start_ms, scenario.tick_ms
        self._threshold: Floats = np.round(scenario.contract_threshold, 2)
        self._queue_lock = threading.Lock()
        self._waiting: deque[TickResult] = deque()
        self._bytes, self._limit = 0, waiting_bytes
        self._closed = False
        self._lock = threading.Lock()
        self._counter = Counter(self.roster)
        sites = len(self.roster.project_id)
        self._histories = Histories(self._counter, sites, self._start_ms, self._tick_ms)
        self._events = EventStates(sites)
        self._entries = Entries(timezone)
        self._orders = OpenCommands()
        self._past = DevicePast(ledger)
        trace = MessageTrace(self.roster) if trace is None else trace
        self._watching = Watching(scenario, self._orders.sentence, monotonic, trace)
        self._tick = -1
        self._truth: TickTruth | None = None
        self._totals: Totals | None = None
        self._states: tuple[DeviceStates, SiteStates] | None = None
        """The states of the last tick; None: not made yet."""
        self._snapshot: Snapshot | None = None
        self._made_at = 0.0

    def note(self, result: TickResult) -> None:
        """Take the result of a tick. Called in the engine's thread."""
        self.answers.take(result.acknowledgements)
        size = size_of(result)
        with self._queue_lock:
            if self._closed:
                return
            while self._waiting and self._bytes + size > self._limit:
                older = self._waiting.popleft()
                self._bytes -= size_of(older)
                if self._waiting:
                    # Its values are lost; its events, faults and answers are not.
                    newer = self._waiting.popleft()
                    self._waiting.appendleft(joined(older, newer)[0])
                else:
                    result = joined(older, result)[0]
            self._waiting.append(result)
            self._bytes += size

    def close(self) -> None:
        """Take no more results, because no view is left."""
        with self._queue_lock:
            self._closed = True
            self._waiting.clear()
            self._bytes = 0

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return the newest snapshot; it is at most 0.25 s old, or new with `fresh`."""
        with self._lock:
            now = self._monotonic()
            if self._snapshot is None or fresh or now - self._made_at >= MIN_INTERVAL_S:
                self._update()
                self._snapshot = self._make(self._status())
                self._made_at = now
            return self._snapshot

    def history(self, span: Span) -> History:
        """Return the fleet's past. Raises ValueError for an unknown span."""
        if span not in ("15m", "1d"):
            raise ValueError(f"span must be 15m or 1d, not {span!r}")
        with self._lock:
            self._update()
            return self._histories.fleet(span)

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s."""
        with self._lock:
            self._update()
            return self._histories.projects(projects)

    def watch(self, der_id: str) -> DeviceView:
        """Return the view of one device, and keep recording the device for the next 30 s.

        The first call for a device reads its earlier readings from the run's ledger. Raises
        KeyError for an unknown device, and ValueError if 20 others are watched.
        """
        with self._lock:
            self._update()
            view = self._watching.watch(der_id)
            device, last = self._watching.lacks_past(der_id), self._tick
        if device is None:
            return view
        # The ledger is read without the lock, so that it delays no other view.
        past = self._past(der_id, last)
        with self._lock:
            self._watching.precede(device, past)
            return self._watching.watch(der_id)

    # Called with the lock held.

    def _update(self) -> None:
        """Process the waiting results."""
        with self._queue_lock:
            results, self._waiting, self._bytes = self._waiting, deque(), 0
        for result in results:
            time_ms = self._start_ms + result.tick * self._tick_ms
            truth = result.truth
            self._states = None
            self._entries.take(result, time_ms)
            self._orders.take(result)
            self._watching.take(result, time_ms)
            self._events.take(() if truth is None else truth.events)
            if truth is not None:
                self._tick, self._truth = result.tick, truth
        for ticks, truths in self._chunks(results):
            self._totals = self._counter.totals(truths)
            times = self._start_ms + np.array(ticks, np.int64) * self._tick_ms
            self._histories.add(times, self._totals)

    def _chunks(self, results: deque[TickResult]) -> Iterator[tuple[list[int], list[TickTruth]]]:
        known = [(one.tick, one.truth) for one in results if one.truth is not None]
        size = max(_CHUNK // max(len(self.roster), 1), 1)
        for first in range(0, len(known), size):
            ticks, truths = zip(*known[first : first + size], strict=True)
            yield list(ticks), list(truths)

    def _make(self, status: RunStatus) -> Snapshot:
        totals, truth, events = self._totals, self._truth, self._events
        kw = np.zeros(len(self._counter.types)) if totals is None else totals.kw[-1]
        if self._states is None:
            self._states = (
                device_states(self.roster, truth, events),
                site_states(self.roster, self._threshold, truth, events),
            )
        devices, sites = self._states
        unconnected = np.count_nonzero(devices.state & (OFFLINE | DISABLED))
        called = ~np.isnan(sites.target_kw)
        return Snapshot(
            status=status,
            tick=self._tick,
            time_ms=self._start_ms + max(self._tick, 0) * self._tick_ms,
            kw=dict(zip(self._counter.types, kw.tolist(), strict=True)),
            load_kw=0.0 if totals is None else float(totals.load_kw[-1]),
            baseline_kw=0.0 if totals is None else float(totals.baseline_kw[-1]),
            target_kw=float(sites.target_kw[called].sum()),
            delivered_kw=float(sites.delivered_kw[called].sum()),
            online=len(self.roster) - int(unconnected),
            sites=sites,
            devices=devices,
            entries=self._entries.newest(),
            running_events=events.names,
            open_faults=self._entries.open_faults(),
        )
