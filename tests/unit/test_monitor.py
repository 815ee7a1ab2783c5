"""The monitor: snapshots, histories, entries and watched devices, by stepping a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    CALLED,
    DISABLED,
    FAULTY,
    OFFLINE,
    Acknowledgement,
    ClearFault,
    Command,
    InjectFault,
    Instruction,
    RunStatus,
    Target,
)
from gridsim.contracts.results import TickResult
from gridsim.running.monitor import Monitor
from gridsim.running.monitor.answers import Answers
from gridsim.running.monitor.ring import Ring
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

BASE = """
[simulation]
start = 2026-06-21T15:00:00Z
tick_s = TICK

[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 3.0
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "{project_id}_GEN"
type = "generator"
nameplate_capacity = 5.0

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0

[[transports]]
type = "stdout"
"""
EVENT = """
[[events]]
id = "peak"
start = "2026-06-21T15:05:00Z"
duration_s = 1200
target_kw = 4.0
compliance = 0.5
projects = ["HOME_1", "HOME_2"]
"""
FAULTS = """
[[faults]]
type = "offline"
id = "cable"
ders = ["HOME_3_PV"]
after_s = 120
duration_s = 120

[[faults]]
type = "delay"
id = "slow"
delay_s = 60
ders = ["HOME_2_PV"]
after_s = 180
duration_s = 60
"""


class Stepped:
    """A simulation whose results go to a monitor, with a clock that is set by hand."""

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        self.scenario = scenario
        self.simulation = Simulation(scenario)
        self.now = 0.0
        self.results: list[TickResult] = []
        self.monitor = Monitor(scenario, self.status, monotonic=lambda: self.now, **options)

    def status(self) -> RunStatus:
        return RunStatus(
            "running",
            self.scenario.start_ms,
            self.scenario.tick_ms,
            None,
            self.simulation.next_tick,
            0.0,
            42,
        )

    def step(self, ticks: int = 1, instructions: Sequence[Instruction] = ()) -> None:
        for _ in range(ticks):
            self.take(self.simulation.advance(instructions))
            instructions = ()

    def take(self, result: TickResult) -> None:
        self.results.append(result)
        self.monitor.note(result)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def make(more: str = "", *, tick_s: float = 60.0, base: str = BASE, **options: Any) -> Stepped:
        path = tmp_path / "c.toml"
        path.write_text(base.replace("TICK", str(tick_s)) + more)
        return Stepped(make_plan(Options(config=path)).configuration.scenario, **options)

    return make


def device(run: Stepped, der_id: str) -> int:
    return list(run.scenario.roster.der_id).index(der_id)


def test_before_the_first_tick_there_is_a_snapshot(make: Any) -> None:
    run = make(EVENT)
    snapshot = run.monitor.snapshot()
    assert (snapshot.tick, snapshot.time_ms) == (-1, run.scenario.start_ms)
    assert snapshot.kw == {"generator": 0.0, "solar": 0.0}
    assert (snapshot.online, snapshot.entries, snapshot.running_events) == (6, (), ())
    assert np.isnan(snapshot.sites.target_kw).all()
    assert snapshot.sites.threshold_kw.tolist() == [3.0] * 3
    assert len(run.monitor.history("15m").time_ms) == 0
    assert np.isnan(run.monitor.project_history(np.arange(3))).all()


def test_a_snapshot_equals_the_readings(make: Any) -> None:
    run = make()
    run.step(3)
    snapshot, batch = run.monitor.snapshot(), run.results[-1].batch
    assert (snapshot.tick, snapshot.time_ms) == (2, int(batch.timestamp_ms[0]))
    assert snapshot.devices.output_kw.tolist() == batch.current_output.tolist()
    solar = [kind == "solar" for kind in batch.roster.type]
    assert snapshot.kw["solar"] == pytest.approx(batch.current_output[solar].sum(), abs=1e-9)
    assert snapshot.load_kw == pytest.approx(7.5)
    assert snapshot.net_kw == pytest.approx(7.5 - batch.current_output.sum())
    first = batch.roster.project[batch.device] == 0
    assert snapshot.sites.output_kw[0] == pytest.approx(batch.current_output[first].sum())
    assert snapshot.sites.baseline_kw[0] == batch.baseline[0]
    assert not snapshot.devices.output_kw.flags.writeable


def test_a_snapshot_is_kept_for_a_quarter_of_a_second(make: Any) -> None:
    run = make()
    run.step()
    assert run.monitor.snapshot().tick == 0
    run.step()
    run.now = 0.2499
    assert run.monitor.snapshot().tick == 0
    run.now = 0.25
    assert run.monitor.snapshot().tick == 1


def test_an_event_is_shown_as_its_settlement_counts_it(make: Any) -> None:
    run = make(EVENT)
    target, delivered, called, violations = [], [], [], []
    for _ in range(30):
        run.step()
        one = run.monitor.snapshot(fresh=True)
        target.append(one.target_kw)
        delivered.append(one.delivered_kw)
        called.append((one.devices.state & CALLED > 0).tolist())
        violations.append(one.sites.violations.tolist())
        assert one.running_events == (("peak",) if 5 <= one.tick < 25 else ())
    assert target == [0.0] * 5 + [8.0] * 20 + [0.0] * 5
    assert called[4] == [False] * 6
    assert called[5] == called[24] == [True] * 4 + [False] * 2
    settled = [own for result in run.results for own in result.settlements]
    assert sum(delivered) / 60 == pytest.approx(sum(own.delivered_kwh for own in settled))
    assert violations[-1] == [len(own.violations) for own in settled] + [0]
    assert violations[4] == [0, 0, 0]
    last = run.monitor.history("1d")
    assert last.target_kw.tolist() == target
    np.testing.assert_allclose(last.delivered_kw, delivered)
    texts = [(e.state, e.subject, e.end_ms) for e in run.monitor.snapshot().entries]
    start = run.scenario.start_ms
    assert texts == [("begins", "peak", start + 1500_000), ("ended", "peak", None)]


def test_the_end_of_a_run_ends_its_events(make: Any) -> None:
    run = make(EVENT)
    run.step(8)
    run.take(run.simulation.finish())
    last = run.monitor.snapshot()
    assert (last.tick, last.target_kw, last.running_events) == (7, 0.0, ())
    assert last.entries[-1].state == "cut off"
    assert not (last.devices.state & CALLED).any()


def test_results_that_are_too_many_leave_their_facts(make: Any) -> None:
    run = make(EVENT, waiting_bytes=1)
    run.step(30)
    snapshot = run.monitor.snapshot()
    assert snapshot.tick == 29
    assert [entry.state for entry in snapshot.entries] == ["begins", "ended"]
    history = run.monitor.history("1d")
    assert history.time_ms.tolist() == [snapshot.time_ms]
    run.monitor.close()
    run.step()
    assert run.monitor.snapshot(fresh=True).tick == 29


def test_the_history_has_means_at_one_second_and_one_minute(make: Any) -> None:
    run = make(tick_s=0.5)
    run.step(2 * 901)
    seconds = run.monitor.history("15m")
    start = run.scenario.start_ms
    assert seconds.time_ms.tolist() == [start + 1000 * n for n in range(1, 901)]
    rows = [result.batch.current_output[1::2].sum() for result in run.results]
    assert seconds.kw["solar"][0] == pytest.approx(np.mean(rows[2:4]))
    minutes = run.monitor.history("1d")
    assert minutes.time_ms.tolist() == [start + 60_000 * n for n in range(16)]
    assert minutes.kw["solar"][3] == pytest.approx(np.mean(rows[360:480]))
    assert minutes.kw["solar"][15] == pytest.approx(np.mean(rows[1800:]))
    projects = run.monitor.project_history(np.array([2, 0]))
    assert (projects.shape, projects.dtype) == ((2, 60), np.float32)
    own = [
        float(r.truth.baseline_kw[2] - r.truth.load_kw[2] + r.truth.output_kw[4:6].sum())
        for r in run.results
        if r.truth is not None
    ]
    assert projects[0, -2] == pytest.approx(np.mean(own[59 * 30 : 60 * 30]), abs=0.02)
    with pytest.raises(ValueError, match="span must be 15m or 1d"):
        run.monitor.history("1h")


def test_a_long_tick_has_a_point_of_its_own(make: Any) -> None:
    run = make(tick_s=60.0)
    run.step(20)
    assert len(run.monitor.history("15m").time_ms) == 15
    assert np.isnan(run.monitor.project_history(np.arange(3))).sum() == 3 * 40


@pytest.mark.parametrize(
    ("times", "read", "tail"),
    [
        ([], [], [np.nan] * 3),
        ([0], [(0, 0.0)], [np.nan, np.nan, 0.0]),
        ([0, 999], [(0, 499.5)], [np.nan, np.nan, 499.5]),
        ([0, 1000], [(0, 0.0), (1000, 1000.0)], [np.nan, 0.0, 1000.0]),
        ([0, 3000], [(3000, 3000.0)], [np.nan, np.nan, 3000.0]),
        ([0, 2000], [(0, 0.0), (2000, 2000.0)], [0.0, np.nan, 2000.0]),
        ([0, 9000], [(9000, 9000.0)], [np.nan, np.nan, 9000.0]),
    ],
)
def test_a_ring_has_the_newest_steps(
    times: list[int], read: list[tuple[int, float]], tail: list[float]
) -> None:
    for together in (True, False):
        ring = Ring(500, 1000, 3, 1)
        parts = [times] if together else [[time] for time in times]
        for part in parts:
            at = np.array(part, np.int64) + 500
            ring.add(at, np.array(part, np.float64).reshape(-1, 1))
        steps, means = ring.read()
        assert list(zip((steps - 500).tolist(), means[:, 0].tolist(), strict=True)) == read
        np.testing.assert_array_equal(ring.tail(np.array([0]))[0], tail)


def test_faults_mark_devices_and_make_entries(make: Any) -> None:
    run = make(FAULTS)
    pv = device(run, "HOME_3_PV")
    states, online = [], []
    for _ in range(6):
        run.step()
        one = run.monitor.snapshot(fresh=True)
        states.append(int(one.devices.state[pv]))
        online.append(one.online)
    assert states == [0, 0, OFFLINE | FAULTY, OFFLINE | FAULTY, 0, 0]
    assert online == [6, 6, 5, 5, 6, 6]
    entries = [(e.state, e.subject, e.text) for e in run.monitor.snapshot().entries]
    assert entries == [
        ("begins", "cable", "fault cable begins on 1 DER"),
        ("begins", "slow", "fault slow begins on 1 DER"),
        ("ended", "cable", "fault cable ended on 1 DER"),
        ("ended", "slow", "fault slow ended on 1 DER"),
    ]


def test_commands_and_injections_are_answered_by_entries(make: Any) -> None:
    run = make()
    target = Target("HOME_1", "HOME_1_PV")
    settings = {"type": "offline", "duration_s": 60}
    run.step(1, (Command(target, "c-1", "disconnect"), InjectFault(target, "i-1", "cut", settings)))
    run.step(1, (Command(Target("HOME_9"), "c-2", "disconnect"),))
    found = [(e.number, e.kind, e.state, e.subject) for e in run.monitor.snapshot().entries]
    assert found == [
        (0, "fault", "injected", "cut"),
        (1, "command", "accepted", "c-1"),
        (2, "command", "accepted", "i-1"),
        (3, "fault", "ended", "cut"),
        (4, "command", "rejected", "c-2"),
        (5, "command", "completed", "i-1"),
    ]
    assert run.monitor.watch("HOME_1_PV").order == "disconnect (c-1) to HOME_1/HOME_1_PV"
    assert run.monitor.watch("HOME_2_PV").order == ""


def test_only_the_newest_200_entries_are_kept_and_all_are_numbered(make: Any) -> None:
    run = make()
    flood = [Command(Target("HOME_9"), f"c-{n}", "disconnect") for n in range(450)]
    run.step(1, flood)
    entries = run.monitor.snapshot().entries
    assert [entry.number for entry in entries] == list(range(250, 450))
    assert entries[0].subject == "c-250"


def test_a_watched_device_has_true_and_reported_columns(make: Any) -> None:
    run = make(FAULTS)
    assert len(run.monitor.watch("HOME_3_PV").time_ms) == 0
    late = run.monitor.watch("HOME_2_PV")
    run.step(7)
    cable, late = run.monitor.watch("HOME_3_PV"), run.monitor.watch("HOME_2_PV")
    assert cable.time_ms.tolist() == [run.scenario.start_ms + 60_000 * n for n in range(7)]
    assert cable.faults.tolist() == [False, False, True, True, False, False, False]
    assert late.faults.tolist() == [False, False, False, True, False, False, False]
    for view, der_id in ((cable, "HOME_3_PV"), (late, "HOME_2_PV")):
        true = [round(float(r.truth.output_kw[device(run, der_id)]), 2) for r in run.results]
        np.testing.assert_allclose(view.true["current_output"], true, atol=1e-9)
        assert np.isnan(view.true["current_soc"]).all()
    reported = {}
    for result in run.results:
        batch = result.batch
        for row in np.flatnonzero(batch.device == device(run, "HOME_3_PV")).tolist():
            reported[int(batch.tick[row])] = float(batch.current_output[row])
    column = [reported.get(tick, np.nan) for tick in range(7)]
    np.testing.assert_array_equal(cable.reported["current_output"], column)
    # The late reading is in its own place.
    assert late.reported["current_output"].tolist() == late.true["current_output"].tolist()
    assert cable.settings["nameplate_capacity"] == 5.0
    assert (cable.type, cable.project_id, cable.messages) == ("solar", "HOME_3", ())


def test_a_reading_that_is_held_back_counts_as_faulty(make: Any) -> None:
    run = make(FAULTS)
    run.monitor.watch("HOME_2_PV")
    run.step(4)
    view = run.monitor.watch("HOME_2_PV")
    assert view.faults.tolist() == [False, False, False, True]
    assert np.isnan(view.reported["current_output"][-1])


def test_a_device_that_reports_seldom_has_a_point_per_reading(make: Any) -> None:
    base = BASE.replace(
        'type = "solar"\nnameplate_capacity = 5.0',
        'type = "solar"\nnameplate_capacity = 5.0\nreport_every_s = 180',
    )
    run = make(base=base)
    run.monitor.watch("HOME_1_PV")
    run.step(9)
    view = run.monitor.watch("HOME_1_PV")
    own = device(run, "HOME_1_PV")
    times = [r.batch.timestamp_ms[r.batch.device == own].tolist() for r in run.results]
    assert [[time] for time in view.time_ms.tolist()] == [time for time in times if time]
    assert len(view.time_ms) == 3
    assert not view.faults.any()
    np.testing.assert_array_equal(view.true["current_output"], view.reported["current_output"])


def test_900_readings_of_a_watched_device_are_kept(make: Any) -> None:
    run = make(tick_s=1.0)
    run.monitor.watch("HOME_1_PV")
    run.step(901)
    view = run.monitor.watch("HOME_1_PV")
    assert len(view.time_ms) == 900
    assert view.time_ms[0] == run.scenario.start_ms + 1000
    assert view.time_ms[-1] == run.scenario.start_ms + 900_000


@pytest.mark.parametrize("der_id", ["HOME_1_PV", "HOME_2_PV", "HOME_3_PV", "HOME_1_BAT"])
def test_earlier_readings_of_a_device_come_from_the_ledger(tmp_path: Path, der_id: str) -> None:
    base = BASE.replace("TICK", "60").replace("generator", "battery").replace("_GEN", "_BAT")
    base = base.replace(
        'type = "solar"\nnameplate_capacity = 5.0',
        'type = "solar"\nnameplate_capacity = 5.0\nreport_every_s = 120',
    )
    path = tmp_path / "c.toml"
    flip = '[[faults]]\ntype = "sign_flip"\nid = "flip"\nafter_s = 600\nduration_s = 180\n'
    path.write_text(f'{base}{FAULTS}{flip}[ledger]\npath = "{tmp_path.as_posix()}/l.sqlite"\n')
    plan = make_plan(Options(config=path))
    assert plan.ledger is not None
    ledger = plan.ledger.open()
    scenario = plan.configuration.scenario
    early, late = Stepped(scenario), Stepped(scenario, ledger=ledger.path)
    early.monitor.watch(der_id)
    for _ in range(20):
        early.step(1)
        ledger.record(early.results[-1])
        late.take(early.results[-1])
    ledger.close(complete=True, timeout_s=30.0)
    found = late.monitor.watch(der_id)
    for ticks in (0, 3):
        early.step(ticks)
        for result in early.results[len(late.results) :]:
            late.take(result)
        known, found = early.monitor.watch(der_id), late.monitor.watch(der_id)
        assert len(known.time_ms) >= 6
        np.testing.assert_array_equal(found.time_ms, known.time_ms)
        np.testing.assert_array_equal(found.faults, known.faults)
        assert found.faults.any()
        for name in ("current_output", "power_meter_measurement", "current_soc"):
            np.testing.assert_allclose(found.true[name], known.true[name], atol=1e-9)
            np.testing.assert_allclose(found.reported[name], known.reported[name], atol=1e-9)


def test_a_posted_instruction_keeps_its_answers_among_any_number_of_others(make: Any) -> None:
    run = make()
    der = Target("HOME_1", "HOME_1_PV")
    mine = Command(der, "mine", "disconnect", source="web", duration_s=60)
    run.monitor.answers.follow(mine)
    assert run.monitor.answers.of(mine) == ()
    others = [Command(der, f"c-{n}", "connect", source="mqtt") for n in range(300)]
    # The same id for another target, or from another source, is another instruction.
    others.append(Command(Target("HOME_2"), "mine", "set_power", 1.0, source="web"))
    run.step(1, [mine, *others])
    assert all(
        one.subject != "mine" or "HOME_2" in one.text for one in run.monitor.snapshot().entries
    )
    answers = run.monitor.answers.of(mine)
    assert [one.status for one in answers] == ["accepted", "superseded"]
    assert answers[0].text == "disconnect (mine) to HOME_1/HOME_1_PV: accepted"
    assert (answers[0].time_ms, answers[0].reason) == (run.scenario.start_ms, "")
    assert answers[1].reason != ""
    assert run.monitor.answers.of(others[0]) is None


@pytest.mark.parametrize(("count", "kept"), [(2, True), (3, False)])
def test_the_answers_of_the_newest_instructions_are_kept(count: int, kept: bool) -> None:
    answers = Answers(limit=2)
    commands = [Command(Target("P"), f"c-{n}", "connect", source="web") for n in range(count)]
    for one in commands:
        answers.follow(one)
    answers.take(
        [Acknowledgement(one.target, one.id, "accepted", "", 0, 5, "web") for one in commands]
    )
    assert (answers.of(commands[0]) is not None) == kept
    assert [one.status for one in answers.of(commands[-1]) or ()] == ["accepted"]
    answers.forget(commands[-1])
    assert answers.of(commands[-1]) is None


def test_the_faults_that_are_not_over_are_known_however_much_happens(make: Any) -> None:
    run = make(FAULTS)
    der = Target("HOME_1", "HOME_1_PV")
    inject = InjectFault(der, "i-1", "dark", {"type": "offline"}, "web")
    flood = [Command(der, f"c-{n}", "connect", source="mqtt") for n in range(300)]
    run.step(1, [inject, *flood])
    run.step(1, flood[:250])
    assert [(one.id, one.since_ms) for one in run.monitor.snapshot().open_faults] == [
        ("dark", run.scenario.start_ms)
    ]
    run.now = 1.0
    run.step(2)
    assert [one.id for one in run.monitor.snapshot().open_faults] == ["dark", "cable", "slow"]
    run.now = 2.0
    run.step(2, [ClearFault(Target(""), "i-2", "dark", "web"), *flood])
    assert [one.id for one in run.monitor.snapshot().open_faults] == []


def test_twenty_devices_are_watched_and_released_after_thirty_seconds(make: Any) -> None:
    run = make(base=BASE.replace("count = 3", "count = 11"))
    ids = list(run.scenario.roster.der_id)[:21]
    for der_id in ids[:20]:
        run.monitor.watch(der_id)
    with pytest.raises(ValueError, match="20 devices are watched already"):
        run.monitor.watch(ids[20])
    with pytest.raises(KeyError):
        run.monitor.watch("NO_SUCH")
    run.step(1)
    run.now = 30.0
    assert len(run.monitor.watch(ids[0]).time_ms) == 1
    run.now = 30.001
    run.step(1)
    assert len(run.monitor.watch(ids[20]).time_ms) == 0
    assert len(run.monitor.watch(ids[0]).time_ms) == 2
    assert len(run.monitor.watch(ids[1]).time_ms) == 0


def test_a_disabled_fleet_is_marked(make: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from gridsim.api import Device, hookimpl\n"
        "class Bad(Device):\n"
        "    def step(self, tick):\n"
        "        return 1.0 if tick.index < 2 else 1 / 0\n"
        "@hookimpl\n"
        "def gridsim_register(register):\n"
        "    register.der('bad', Bad)\n"
    )
    base = BASE.replace('type = "solar"', 'type = "bad"').replace(
        "tick_s = TICK", 'tick_s = TICK\non_error = "skip_fleet"\nplugins = ["bad.py"]'
    )
    run = make(base=base)
    run.monitor.watch("HOME_1_PV")
    run.step(4)
    one = run.monitor.snapshot()
    assert (one.devices.state & DISABLED > 0).tolist() == [False, True] * 3
    assert one.online == 3
    [entry] = one.entries
    assert (entry.kind, entry.state, entry.subject) == ("failure", "disabled", "bad")
    assert entry.text.endswith("; 3 DERs disabled")
    assert len(run.monitor.watch("HOME_1_PV").time_ms) == 2
