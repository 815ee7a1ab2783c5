"""The states of projects and devices in the last tick, for snapshots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    CALLED,
    DISABLED,
    FAULTY,
    OFFLINE,
    DeviceStates,
    Floats,
    Roster,
    SiteStates,
)
from gridsim.contracts.truth import RunningEvent, TickTruth


class EventStates:
    """The targets and violations of projects, from tick to tick."""

    def __init__(self, sites: int) -> None:
        self.names: tuple[str, ...] = ()
        """The events that run for at least one project."""
        self.target_kw: Floats = np.full(sites, np.nan)
        self.called: NDArray[np.bool_] = np.zeros(sites, np.bool_)
        self.in_violation: NDArray[np.bool_] = np.zeros(sites, np.bool_)
        self.violations: NDArray[np.int32] = np.zeros(sites, np.int32)
        self._before: dict[str, NDArray[np.bool_]] = {}

    def take(self, events: Sequence[RunningEvent]) -> None:
        """Take the events of the next tick."""
        if not events and not self.names:
            return
        sites = len(self.called)
        self.names = tuple(event.name for event in events)
        self.target_kw = np.full(sites, np.nan)
        self.called, self.in_violation = np.zeros(sites, np.bool_), np.zeros(sites, np.bool_)
        self.violations = self.violations.copy()
        for event in events:
            part, broken = event.takes_part, event.in_violation
            self.called[event.site[part]] = True
            self.target_kw[event.site[part]] = event.target_kw[part]
            self.in_violation[event.site[broken]] = True
            before = self._before.get(event.name)
            begun = broken if before is None else broken & ~before
            self.violations[event.site[begun]] += 1
        self._before = {event.name: event.in_violation for event in events}


def site_states(
    roster: Roster, threshold_kw: Floats, truth: TickTruth | None, events: EventStates
) -> SiteStates:
    """Return the states of all projects."""
    sites = len(roster.project_id)
    zeros: Floats = np.zeros(sites)
    load, baseline, output = zeros, zeros, zeros
    if truth is not None:
        load, baseline = _rounded(truth.load_kw, 100.0), _rounded(truth.baseline_kw, 100.0)
        scaled = np.rint(truth.output_kw * 100.0)
        output = np.bincount(roster.project, scaled, sites) / 100.0 + 0.0
    return SiteStates(
        load_kw=locked(load),
        baseline_kw=locked(baseline),
        threshold_kw=locked(threshold_kw),
        output_kw=locked(output),
        target_kw=locked(events.target_kw),
        in_violation=locked(events.in_violation),
        violations=locked(events.violations),
    )


def device_states(roster: Roster, truth: TickTruth | None, events: EventStates) -> DeviceStates:
    """Return the states of all devices."""
    n = len(roster)
    if truth is None:
        nothing: Floats = np.full(n, np.nan)
        return DeviceStates(locked(np.zeros(n)), locked(nothing), locked(np.zeros(n, np.uint8)))
    state = np.zeros(n, np.uint8)
    for mask, bit in ((truth.offline, OFFLINE), (truth.faulty, FAULTY), (truth.disabled, DISABLED)):
        if mask is not None:
            state[mask] |= bit
    if events.called.any():
        state[events.called[roster.project]] |= CALLED
    return DeviceStates(
        output_kw=locked(_rounded(truth.output_kw, 100.0)),
        soc=locked(_rounded(truth.soc, 10.0)),
        state=locked(state),
    )


def locked(array: NDArray) -> NDArray:  # type: ignore[type-arg]
    """Return a read-only view."""
    view = array.view()
    view.flags.writeable = False
    return view


def _rounded(values: Floats, scale: float) -> Floats:
    """Return the values rounded as readings are, with 0.0 for -0.0."""
    rounded: Floats = np.rint(values * scale) / scale + 0.0
    return rounded
