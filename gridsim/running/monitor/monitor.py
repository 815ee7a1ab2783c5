"""The monitor of a run: it turns results into snapshots and histories for its views."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

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
from gridsim.contracts.results import TickResult

MIN_INTERVAL_S = 0.25
"""The least real time between two snapshots."""


class Monitor:
    """The newest snapshot, the histories and the watched devices of one run.

    `note` is called in the engine's thread; the others may be called from any thread.
    """

    def __init__(
        self,
        roster: Roster,
        status: Callable[[], RunStatus],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.roster = roster
        self._status = status
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._made_at = 0.0

    def note(self, result: TickResult) -> None:
        """Take the result of a tick."""

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return the newest snapshot; it is at most 0.25 s old, or new with `fresh`."""
        with self._lock:
            now = self._monotonic()
            if self._snapshot is None or fresh or now - self._made_at >= MIN_INTERVAL_S:
                self._snapshot = self._make()
                self._made_at = now
            return self._snapshot

    def history(self, span: Span) -> History:
        """Return the fleet's past."""
        nothing = np.empty(0)
        return History(np.empty(0, np.int64), {}, nothing, nothing, nothing)

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s."""
        return np.full((len(projects), 60), np.nan, np.float32)

    def watch(self, der_id: str) -> DeviceView:
        """Return a device's own view, and keep recording it for the next 30 s."""
        raise KeyError(der_id)

    def _make(self) -> Snapshot:
        status = self._status()
        sites, devices = len(self.roster.project_id), len(self.roster)
        zeros = np.zeros(sites)
        return Snapshot(
            status=status,
            tick=status.tick - 1,
            time_ms=status.start_ms + max(status.tick - 1, 0) * status.tick_ms,
            kw=dict(status.output_kw),
            load_kw=status.load_kw,
            baseline_kw=0.0,
            target_kw=0.0,
            delivered_kw=0.0,
            online=devices,
            sites=SiteStates(
                zeros,
                zeros,
                zeros,
                zeros,
                np.full(sites, np.nan),
                np.zeros(sites, np.bool_),
                np.zeros(sites, np.int32),
            ),
            devices=DeviceStates(
                np.zeros(devices), np.full(devices, np.nan), np.zeros(devices, np.uint8)
            ),
            entries=(),
        )
