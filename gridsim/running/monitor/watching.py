"""The devices that views watch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import SecretStr

from gridsim.api import Batch, DeviceView, identities
from gridsim.contracts.measurands import LOWER, SETPOINT, UPPER, decimals_of
from gridsim.contracts.results import TickResult
from gridsim.contracts.truth import TickTruth
from gridsim.delivery import MessageTrace
from gridsim.ledger.past import PastReading
from gridsim.running.monitor.recorder import ReadingRecorder
from gridsim.simulation.scenario import FleetSpec, Scenario

MOST = 20
"""The largest number of devices that are watched at once."""
KEPT_S = 30.0
"""The time after the last call at which a device is no longer watched."""


class Watching:
    """The recorders of up to 20 devices, each released 30 s after the last call for it."""

    def __init__(
        self,
        scenario: Scenario,
        order: Callable[[str, str], str],
        monotonic: Callable[[], float],
        trace: MessageTrace,
    ) -> None:
        """Watch nothing yet.

        `order` returns the sentence about the command in force of a project's DER. `trace` records
        the messages of the devices that are watched.
        """
        self._scenario = scenario
        self._roster = scenario.roster
        self._order = order
        self._monotonic = monotonic
        self._trace = trace
        self._index: dict[str, int] | None = None
        self._recorders: dict[int, ReadingRecorder] = {}
        self._called_s: dict[int, float] = {}
        self._without_past: set[int] = set()
        self._mask = np.zeros(len(self._roster), np.bool_)

    def watch(self, der_id: str) -> DeviceView:
        """Return a device's view; record it from the first call on.

        Raises KeyError for an unknown device, and ValueError if 20 others are watched.
        """
        if self._index is None:
            self._index = {id: place for place, id in enumerate(self._roster.der_id)}
        device = self._index[der_id]
        self._release()
        recorder = self._recorders.get(device)
        if recorder is None:
            if len(self._recorders) >= MOST:
                raise ValueError(
                    f"{MOST} devices are watched already, the most at once: close one, "
                    f"and try again after {KEPT_S:g} s"
                )
            recorder = self._recorders[device] = self._recorder(device)
            self._mask[device] = True
            self._without_past.add(device)
            self._trace.open(device)
        self._called_s[device] = self._monotonic()
        return self._view(recorder, der_id)

    def lacks_past(self, der_id: str) -> int | None:
        """Return the index of a watched device if the readings before it was opened are unknown."""
        device = self._index[der_id] if self._index is not None else -1
        return device if device in self._without_past else None

    def precede(self, device: int, past: Sequence[PastReading]) -> None:
        """Take the readings of a device from before it was opened."""
        recorder = self._recorders.get(device)
        if recorder is not None and device in self._without_past:
            self._without_past.discard(device)
            ticks = np.array([one.tick for one in past], np.int64)
            recorder.precede(past, self._scenario.start_ms + ticks * self._scenario.tick_ms)

    def take(self, result: TickResult, time_ms: int) -> None:
        """Record a tick of the watched devices."""
        if not self._recorders:
            return
        self._release()
        truth = result.truth
        if truth is not None:
            for recorder in self._recorders.values():
                device = recorder.device
                disabled = truth.disabled is not None and truth.disabled[device]
                if not disabled and self._has_reading(device, result.tick, truth):
                    recorder.take(result.tick, time_ms, truth)
        if result.unsent is not None:
            self._report(result.unsent, sent=False)
        self._report(result.batch, sent=True)

    def _report(self, batch: Batch, *, sent: bool) -> None:
        for row in np.flatnonzero(self._mask[batch.device]).tolist():
            self._recorders[int(batch.device[row])].report(batch, row, sent=sent)

    def _release(self) -> None:
        now = self._monotonic()
        for device in [one for one, at in self._called_s.items() if now - at > KEPT_S]:
            del self._called_s[device], self._recorders[device]
            self._mask[device] = False
            self._without_past.discard(device)
            self._trace.close(device)

    def _has_reading(self, device: int, tick: int, truth: TickTruth) -> bool:
        """Return whether the device reports in a tick; each device has its own phase."""
        if truth.reports is not None:
            return bool(truth.reports[device])
        every = int(self._scenario.report_every_ticks[device])
        if every == 1:
            return True
        phase = int(identities([self._roster.der_id[device]])[0]) % every
        return (tick - phase) % every == 0

    def _fleet(self, device: int) -> tuple[FleetSpec, int]:
        """Return the fleet of a device, and the device's place in it."""
        for fleet in self._scenario.fleets:
            [places] = np.nonzero(fleet.device == device)
            if len(places):
                return fleet, int(places[0])
        raise KeyError(self._roster.der_id[device])

    def _recorder(self, device: int) -> ReadingRecorder:
        fleet, _ = self._fleet(device)
        units = self._roster.columns
        of_type = {*fleet.type.columns, *fleet.members.wanted, SETPOINT, LOWER, UPPER}
        names = [*filter(of_type.__contains__, units), *self._scenario.measurands]
        digits = {name: decimals_of(name, units[name]) for name in names}
        return ReadingRecorder(device, int(self._roster.project[device]), digits)

    def _view(self, recorder: ReadingRecorder, der_id: str) -> DeviceView:
        device, roster = recorder.device, self._roster
        project_id = roster.project_id[roster.project[device]]
        time_ms, true, reported, faults = recorder.columns()
        return DeviceView(
            der_id=der_id,
            project_id=project_id,
            type=roster.type[device],
            settings=self._settings(device),
            time_ms=time_ms,
            true=true,
            reported=reported,
            faults=faults,
            order=self._order(project_id, der_id),
            messages=self._trace.messages(device),
        )

    def _settings(self, device: int) -> dict[str, object]:
        """Return the settings of a device: those of its stanza, with the values drawn for it."""
        fleet, place = self._fleet(device)
        members = fleet.members
        stanza = members.settings[members.stanza[place]]
        settings = {name: getattr(stanza, name) for name in type(stanza).model_fields}
        for name, column in members.columns.items():
            value = float(column[place])
            settings[name] = None if np.isnan(value) else value
        return {name: value for name, value in settings.items() if not isinstance(value, SecretStr)}
