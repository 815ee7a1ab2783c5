"""The contract test of views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    CALLED,
    Catalogue,
    CommandEntry,
    DeviceStates,
    DeviceView,
    Entry,
    FaultEntry,
    Floats,
    History,
    Instruction,
    PostedAnswer,
    Roster,
    RunStatus,
    SettingEntry,
    SiteStates,
    Snapshot,
    Span,
    View,
)
from gridsim.contracts.speed import check_speed
from gridsim.testing.builders import START_MS, make_roster, make_run
from gridsim.testing.settings import assert_described


def make_snapshot(roster: Roster | None = None, *, tick: int = 0, ended: bool = False) -> Snapshot:
    """Return a run at a tick: an event calls the first project, which is in violation."""
    roster = roster if roster is not None else make_roster()
    n, sites = len(roster), len(roster.project_id)
    time_ms = START_MS + tick * 1000
    first = np.arange(sites) == 0
    output: Floats = np.arange(n, dtype=np.float64) * 0.5
    soc = np.array([np.nan if kind == "solar" else 50.0 for kind in roster.type], np.float64)
    states = SiteStates(
        load_kw=np.full(sites, 2.0),
        baseline_kw=np.full(sites, 5.0),
        threshold_kw=np.full(sites, 4.0),
        output_kw=np.bincount(roster.project, output, sites).astype(np.float64),
        target_kw=np.where(first, 4.0, np.nan),
        in_violation=first,
        violations=first.astype(np.int32),
    )
    entry = Entry(0, START_MS, "event", "begins", "peak", "event peak begins")
    return Snapshot(
        status=RunStatus(
            state="ended" if ended else "running",
            start_ms=START_MS,
            tick_ms=1000,
            ticks=None,
            tick=tick + 1,
            speed=1.0,
            seed=42,
            projects=sites,
            devices=n,
        ),
        tick=tick,
        time_ms=time_ms,
        kw={
            kind: float(output[[one == kind for one in roster.type]].sum())
            for kind in sorted(set(roster.type))
        },
        load_kw=2.0 * sites,
        baseline_kw=5.0 * sites,
        target_kw=4.0 if sites else 0.0,
        delivered_kw=float(states.delivered_kw[first].sum()),
        online=n,
        sites=states,
        devices=DeviceStates(
            output, soc, np.where(roster.project == 0, CALLED, 0).astype(np.uint8)
        ),
        entries=(entry,) if sites else (),
        running_events=("peak",) if sites else (),
    )


class RecordingControl:
    """A control without a run that records the requests of a view."""

    def __init__(self, roster: Roster | None = None) -> None:
        self.roster: Roster = roster if roster is not None else make_roster()
        self.newest = make_snapshot(self.roster)
        self.instructions: list[Instruction] = []
        self.speed = 1.0
        self.reloads = 0
        self.paused = False

    def catalogue(self) -> Catalogue:
        rate = SettingEntry("rate", "float", "kW/h", True, None, (), "change of the value per hour")
        return Catalogue(
            (FaultEntry("drift", "A sensor that drifts.", (rate,)),),
            (),
            (CommandEntry("set_power", ("kW", "%"), True), CommandEntry("connect", (), False)),
            (),
        )

    def status(self) -> RunStatus:
        return self.newest.status

    def snapshot(self) -> Snapshot:
        return self.newest

    def history(self, span: Span) -> History:
        times = np.arange(3) * {"15m": 1000, "1d": 60_000}[span] + START_MS
        kw = dict.fromkeys(self.newest.kw, np.ones(3))
        return History(times, kw, np.full(3, 2.0), np.zeros(3), np.zeros(3), np.zeros(3))

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        return np.full((len(projects), 60), 1.0, np.float32)

    def post(self, instruction: Instruction) -> bool:
        self.instructions.append(instruction)
        return True

    def answers(self, instruction: Instruction) -> Sequence[PostedAnswer] | None:
        return () if instruction in self.instructions else None

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def set_speed(self, speed: float) -> None:
        check_speed(speed)
        self.speed = speed

    def reload(self) -> None:
        self.reloads += 1

    def watch(self, der_id: str) -> DeviceView:
        device = list(self.roster.der_id).index(der_id) if der_id in self.roster.der_id else None
        if device is None:
            raise KeyError(der_id)
        columns = {"current_output": np.array([1.0]), "power_meter_measurement": np.array([2.0])}
        return DeviceView(
            der_id=der_id,
            project_id=self.roster.project_id[self.roster.project[device]],
            type=self.roster.type[device],
            settings={},
            time_ms=np.array([START_MS]),
            true=columns,
            reported=columns,
            faults=np.zeros(1, np.bool_),
            order="",
            messages=(),
        )


class ViewContract:
    """The contract test of views. Inherit, and give settings:

    class TestBell(ViewContract):
        view = Bell

        def way(self, tmp_path):
            return {"path": str(tmp_path / "bell.txt")}
    """

    view: ClassVar[type[View[Any]]]

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings with which the view can start, such as a free port."""
        return {}

    def test_every_setting_is_described(self) -> None:
        assert_described(self.view.Settings)

    def test_it_shows_a_run_until_its_end(self, tmp_path: Path) -> None:
        made, control = self._made(tmp_path, make_roster())
        made.start(control)
        try:
            for tick in range(3):
                control.newest = make_snapshot(control.roster, tick=tick)
                made.show(control.newest)
            made.show(make_snapshot(control.roster, tick=3, ended=True))
        finally:
            made.close()

    def test_it_shows_a_run_without_a_device(self, tmp_path: Path) -> None:
        made, control = self._made(tmp_path, make_roster(()))
        made.start(control)
        try:
            made.show(control.newest)
        finally:
            made.close()

    def test_it_closes_after_no_snapshot_and_starts_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            made, control = self._made(tmp_path, make_roster())
            made.start(control)
            made.close()

    def test_it_changes_nothing_by_itself(self, tmp_path: Path) -> None:
        made, control = self._made(tmp_path, make_roster())
        made.start(control)
        made.show(control.newest)
        made.close()
        assert (control.instructions, control.speed, control.paused) == ([], 1.0, False)

    def test_its_place_is_one_line(self, tmp_path: Path) -> None:
        made, control = self._made(tmp_path, make_roster())
        made.start(control)
        try:
            assert isinstance(made.describe(), str)
            assert len(made.describe().splitlines()) <= 1
        finally:
            made.close()

    def _made(self, tmp_path: Path, roster: Roster) -> tuple[View[Any], RecordingControl]:
        settings = self.view.Settings.model_validate(self.way(tmp_path))
        return self.view(settings, make_run(roster)), RecordingControl(roster)
