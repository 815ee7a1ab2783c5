"""Events that are called and faults that are injected while a run goes on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    Acknowledgement,
    CallEvent,
    CancelEvent,
    ClearFault,
    InjectFault,
    Instruction,
    Target,
    read_instruction,
)
from gridsim.contracts.batch_serial import batch_state
from gridsim.contracts.instructions import FLEET
from gridsim.contracts.results import TickResult
from gridsim.ledger import query
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.simulation.faults.book import MOST
from gridsim.simulation.instructed import MAX_EACH_TICK
from gridsim.simulation.step import Simulation
from gridsim.verify import VerifyOptions, verify
from tests.fixtures.resumed import resumed

START_MS = 1_782_907_200_000  # 2026-07-01T12:00:00Z
FLEET_TOML = """
[simulation]
seed = 7
speed = 0
start = "2026-07-01T12:00:00Z"
[weather]
type = "clear"
[[transports]]
type = "file"
path = "{folder}/readings.jsonl"

[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 2.0
load = {{ type = "constant", kw = 3.0 }}
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
initial_soc = 80
strategy = "idle"
losses = "ideal"
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0
"""
HOME_1, BAT_1 = Target("HOME_1"), Target("HOME_1", "HOME_1_BAT")


class Sim:
    """A simulation that is stepped with instructions."""

    def __init__(self, folder: Path, more: str = "") -> None:
        path = folder / "fleet.toml"
        path.write_text(FLEET_TOML.format(folder=folder) + more)
        self.path = path
        self.simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
        self.results: list[TickResult] = []

    def tick(self, *instructions: Instruction) -> list[tuple[str, str, str]]:
        """Advance; return the answers."""
        self.results.append(self.simulation.advance(instructions))
        return answers(self.results[-1].acknowledgements)

    def ticks(self, n: int) -> list[tuple[str, str, str]]:
        return [one for _ in range(n) for one in self.tick()]

    def changes(self) -> list[tuple[str, str, int]]:
        return [
            (change.event, change.kind, tick)
            for tick, result in enumerate(self.results)
            for change in result.changes
        ]

    def output(self, device: int) -> list[float]:
        return [float(result.batch.current_output[device]) for result in self.results]


def answers(acknowledgements: Sequence[Acknowledgement]) -> list[tuple[str, str, str]]:
    return [(one.id, one.status, one.reason) for one in acknowledgements]


def call(event: str = "peak", target: Target = FLEET, id: str = "", **settings: Any) -> CallEvent:
    return CallEvent(target, id or f"call-{event}", event, {"duration_s": 10, **settings})


def inject(fault: str, type: str, target: Target = FLEET, **settings: Any) -> InjectFault:
    return InjectFault(target, f"inject-{fault}", fault, {"type": type, **settings})


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    return Sim(tmp_path)


# Events.


def test_a_called_event_begins_now_and_is_completed(sim: Sim) -> None:
    sim.ticks(5)
    assert sim.tick(call()) == [("call-peak", "accepted", "")]
    assert sim.ticks(9) == []
    assert sim.tick() == [("call-peak", "completed", "")]
    assert sim.changes() == [("peak", "begins", 5), ("peak", "ended", 15)]
    settlements = sim.results[15].settlements
    assert [one.project_id for one in settlements] == ["HOME_1", "HOME_2", "HOME_3"]
    assert {one.start_ms for one in settlements} == {START_MS + 5000}
    assert {one.end_ms for one in settlements} == {START_MS + 15_000}
    assert {one.ending for one in settlements} == {"completed"}
    # It follows from the promise of 2 kW; before and after nothing is asked.
    assert sim.output(0)[4:6] != sim.output(0)[3:5]


@pytest.mark.parametrize("at", [0, 7])
def test_a_called_event_is_the_same_as_a_configured_one(tmp_path: Path, at: int) -> None:
    asked: dict[str, Any] = {"duration_s": 20, "ramp_s": 5, "target_kw": 2.5, "notice_s": 0}
    lines = "\n".join(f"{key} = {value}" for key, value in asked.items())
    toml = f'\n[[events]]\nid = "peak"\nafter_s = {at}\n{lines}\n'
    configured, called = Sim(tmp_path, toml), Sim(tmp_path)
    for tick in range(40):
        configured.tick()
        called.tick(*([call(**asked)] if tick == at else []))
        one, other = configured.results[-1], called.results[-1]
        np.testing.assert_array_equal(one.batch.current_output, other.batch.current_output)
        assert one.settlements == other.settlements
        assert one.changes == other.changes


def test_a_notice_puts_the_beginning_off(sim: Sim) -> None:
    sim.tick(call(notice_s=3))
    sim.ticks(5)
    assert sim.changes() == [("peak", "announced", 0), ("peak", "begins", 3)]


def test_times_count_from_the_call(sim: Sim) -> None:
    sim.ticks(4)
    sim.tick(call(after_s=3), call("later", start="2026-07-01T12:00:09Z"))
    sim.ticks(6)
    began = [(event, tick) for event, kind, tick in sim.changes() if kind == "begins"]
    assert began == [("peak", 7), ("later", 9)]


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        (call(duration_s=None), "'duration_s' is missing|must be a number"),
        (call(duration_s=0.9), "'duration_s' must be at least a tick, 1 s"),
        (call(duraton_s=5), "'duraton_s' is not a setting of an event; did you mean 'duration_s'?"),
        (call(ramp_s=10), "'ramp_s' must be less than 'duration_s'"),
        (call(start="2026-07-01T11:59:59Z"), "'start' is before the present simulated time"),
        (call(start="noon"), "'start' must be"),
        (call(projects=["HUT_*"]), r"there is no project, apart .*'HUT_\*'"),
        (call(projects=[]), "'projects'"),
        (call(target_kw=-1), "'target_kw' must be"),
        (call(target=HOME_1, projects=["*"]), "'projects' is for instructions to the fleet"),
        (call(target=BAT_1), "an event is for projects"),
        (call(target=Target("HUT")), "there is no such project"),
        (call("a b"), "'id'"),
        (CancelEvent(FLEET, "i", "peak"), "there is no event 'peak'"),
        (ClearFault(FLEET, "i", "dark"), "there is no fault 'dark'"),
        (inject("dark", "ofline"), "there is no fault 'ofline'.*did you mean 'offline'"),
        (inject("dark", "offline", duration_s=0), "'duration_s' must be"),
        (inject("dark", "offline", per_day=3), "'duration_s' is missing"),
        (inject("dark", "offline", ders=["X"]), "there is no DER that matches 'X'"),
        (inject("dark", "offline", BAT_1, ders=["*"]), "'ders' is for instructions to the fleet"),
        (inject("dark", "offline", HOME_1, projects=["*"]), "'projects' is for instructions"),
        (inject("dark", "schema_drift", field="x"), "a field that is not written, 'x'"),
        (inject("dark", "ghost"), "it must be in the configuration"),
        (InjectFault(FLEET, "i", "x", {}), "'type' is missing"),
    ],
)
def test_it_is_rejected_with_a_reason(sim: Sim, instruction: Instruction, reason: str) -> None:
    sim.tick()
    [told] = sim.simulation.advance([instruction]).acknowledgements
    assert (told.status, told.id) == ("rejected", instruction.id)
    assert re.search(reason, told.reason), told.reason
    after = sim.simulation.advance()
    assert after.batch.labels is None
    assert after.changes == ()


def test_without_a_binder_nothing_is_called(tmp_path: Path) -> None:
    scenario = make_plan(Options(config=Sim(tmp_path).path)).configuration.scenario
    bare = Simulation(replace(scenario, binder=None))
    told = bare.advance([call(), inject("dark", "offline")]).acknowledgements
    assert [one.status for one in told] == ["rejected", "rejected"]


def test_ids_of_instructions_and_of_events_are_used_once(sim: Sim) -> None:
    sim.tick(call(duration_s=3))
    assert sim.tick(call("other", target=HOME_1), call(id="again")) == [
        ("call-other", "accepted", ""),
        ("again", "rejected", "the event id 'peak' is already in use: choose another id"),
    ]
    [(_, *again)] = sim.tick(call("third", target=HOME_1, id="call-other"))
    assert again[0] == "rejected"
    assert again[1].startswith("this id was used before")
    sim.ticks(3)
    # It is over: its id may be used again, and its occurrences are counted on.
    assert sim.tick(call(id="again"))[0][1] == "accepted"
    assert [event for event, *_ in sim.changes() if event.startswith("peak#")] == ["peak#2"]


def test_a_running_event_is_cancelled(sim: Sim) -> None:
    sim.tick(call())
    sim.ticks(3)
    assert sim.tick(CancelEvent(FLEET, "stop", "peak")) == [
        ("stop", "accepted", ""),
        ("stop", "completed", ""),
        ("call-peak", "cancelled", "by stop"),
    ]
    result = sim.results[-1]
    assert [(one.event, one.kind) for one in result.changes] == [("peak", "cancelled")]
    assert {one.ending for one in result.settlements} == {"cancelled"}
    assert {one.end_ms for one in result.settlements} == {START_MS + 4000}
    assert sim.output(0)[3] != 0.0
    assert sim.output(0)[4] == 0.0
    assert sim.tick(CancelEvent(FLEET, "again", "peak"))[0][1] == "rejected"


@pytest.mark.parametrize("notice_s", [0, 60])
def test_an_event_that_has_not_begun_is_withdrawn(sim: Sim, notice_s: float) -> None:
    sim.tick(call(after_s=30, notice_s=notice_s))
    assert sim.tick(CancelEvent(FLEET, "stop", "peak"))[1:] == [
        ("stop", "completed", ""),
        ("call-peak", "cancelled", "by stop"),
    ]
    sim.ticks(40)
    assert [kind for _, kind, _ in sim.changes() if kind != "announced"] == ["cancelled"]
    assert not any(result.settlements for result in sim.results)


def test_a_project_cancels_for_itself(sim: Sim) -> None:
    sim.tick(call())
    assert sim.tick(CancelEvent(HOME_1, "stop", "peak")) == [
        ("stop", "accepted", ""),
        ("stop", "completed", ""),
    ]
    assert [(s.project_id, s.ending) for s in sim.results[-1].settlements] == [
        ("HOME_1", "cancelled")
    ]
    assert sim.tick(CancelEvent(HOME_1, "stop2", "peak"))[0][1] == "rejected"
    assert sim.ticks(9)[-1] == ("call-peak", "completed", "1 cancelled of 3 projects")
    assert [s.project_id for s in sim.results[10].settlements] == ["HOME_2", "HOME_3"]


def test_a_configured_event_is_cancelled_once_and_comes_again(tmp_path: Path) -> None:
    sim = Sim(tmp_path, '\n[[events]]\nid = "daily"\ncron = "* * * * *"\nduration_s = 20\n')
    sim.ticks(3)
    assert [one[1] for one in sim.tick(CancelEvent(FLEET, "stop", "daily"))] == [
        "accepted",
        "completed",
    ]
    sim.ticks(60)
    kinds = [(event, kind) for event, kind, _ in sim.changes()]
    assert kinds == [("daily", "begins"), ("daily", "cancelled"), ("daily#2", "begins")]


def test_a_later_event_supersedes_a_called_one(sim: Sim) -> None:
    sim.tick(call())
    assert sim.tick(call("other", target_kw=1)) == [("call-other", "accepted", ""), (
        "call-peak", "superseded", "by a later event",
    )]  # fmt: skip


def test_a_project_calls_for_itself(sim: Sim) -> None:
    sim.tick(call(target=HOME_1))
    sim.ticks(10)
    assert [one.project_id for one in sim.results[10].settlements] == ["HOME_1"]


# Faults.


def test_an_injected_fault_lasts_and_is_completed(sim: Sim) -> None:
    before = sim.simulation.advance()
    assert before.batch.labels is None
    sim.results.append(before)
    assert sim.tick(inject("dark", "offline", readings="lost", duration_s=3)) == [
        ("inject-dark", "accepted", "")
    ]
    assert sim.ticks(2) == []
    assert [len(result.batch) for result in sim.results] == [6, 0, 0, 0]
    assert sim.tick() == [("inject-dark", "completed", "")]
    assert len(sim.results[-1].batch) == 6
    episodes = sim.results[-1].episodes
    assert {(one.fault_id, one.start_ms, one.end_ms) for one in episodes} == {
        ("dark", START_MS + 1000, START_MS + 4000)
    }
    assert [(one.fault, one.number, one.id) for one in sim.results[1].injected] == [(0, 0, "dark")]


def test_numbers_go_on_where_readings_left_off(sim: Sim) -> None:
    sim.ticks(3)
    sim.tick(inject("flip", "sign_flip", BAT_1))
    sim.ticks(2)
    numbers = [result.batch.number for result in sim.results]
    assert numbers == [0, 6, 12, 18, 24, 30]


@pytest.mark.parametrize("kind", ["frozen_meter", "delay", "duplicate"])
def test_an_injected_fault_is_the_same_as_a_configured_one(tmp_path: Path, kind: str) -> None:
    asked: dict[str, Any] = {"duration_s": 8, "probability": 0.5}
    lines = "\n".join(f"{key} = {value}" for key, value in asked.items())
    toml = f'\n[[faults]]\nid = "f"\ntype = "{kind}"\nafter_s = 5\n{lines}\n'
    configured, injected = Sim(tmp_path, toml), Sim(tmp_path)
    for tick in range(25):
        configured.tick()
        injected.tick(*([inject("f", kind, **asked)] if tick == 5 else []))
        one, other = configured.results[-1], injected.results[-1]
        for name in ("device", "tick", "timestamp_ms", "power_meter_measurement"):
            np.testing.assert_array_equal(getattr(one.batch, name), getattr(other.batch, name))
        assert one.episodes == other.episodes


def test_a_fault_is_cleared_from_now_on(sim: Sim) -> None:
    sim.tick(inject("dark", "offline", readings="lost"))
    sim.ticks(2)
    assert sim.tick(ClearFault(FLEET, "ok", "dark")) == [
        ("ok", "accepted", ""),
        ("ok", "completed", ""),
        ("inject-dark", "cancelled", "by ok"),
    ]
    assert [len(result.batch) for result in sim.results] == [0, 0, 0, 6]
    assert {one.end_ms for one in sim.results[-1].episodes} == {START_MS + 3000}
    assert sim.tick(ClearFault(FLEET, "ok2", "dark"))[0][1] == "rejected"


def test_a_fault_is_cleared_for_one_device(sim: Sim) -> None:
    sim.tick(inject("dark", "offline", readings="lost"))
    assert sim.tick(ClearFault(BAT_1, "ok", "dark")) == [
        ("ok", "accepted", ""),
        ("ok", "completed", ""),
    ]
    assert sim.results[-1].batch.device.tolist() == [0]
    assert [one.der_id for one in sim.results[-1].episodes] == ["HOME_1_BAT"]


def test_a_configured_fault_is_cleared_and_begins_again(tmp_path: Path) -> None:
    sim = Sim(
        tmp_path,
        '\n[[faults]]\ntype = "offline"\nreadings = "lost"\ncron = "* * * * *"\nduration_s = 30\n',
    )
    sim.ticks(3)
    sim.tick(ClearFault(FLEET, "ok", "offline"))
    assert len(sim.results[-1].batch) == 6
    sim.ticks(57)
    assert len(sim.results[-1].batch) == 0
    assert sim.tick(inject("offline", "drop"))[0][2].startswith("the fault id 'offline' is already")


def test_more_than_63_at_once_are_rejected(sim: Sim) -> None:
    many = [inject(f"f{n}", "sign_flip", BAT_1) for n in range(MOST + 1)]
    told = sim.tick(*many)
    assert [status for _, status, _ in told] == ["accepted"] * MOST + ["rejected"]
    assert told[-1][2] == "there are 63 faults, the most allowed at once: clear a fault first"
    assert {one.number for one in sim.results[0].injected} == set(range(MOST))
    sim.tick(ClearFault(FLEET, "ok", "f20"))
    sim.tick(inject("new", "sign_flip", BAT_1))
    [new] = sim.results[-1].injected
    assert (new.fault, new.number) == (MOST, 20)


def test_faults_planned_far_ahead_are_bounded_and_the_refusal_counts_them(sim: Sim) -> None:
    far = {"start": "2199-01-01T00:00:00Z", "duration_s": 60}
    many = [inject(f"f{n}", "sign_flip", BAT_1, **far) for n in range(MOST - 1)]
    told = sim.tick(*many, inject("now", "sign_flip", BAT_1), inject("more", "drop", BAT_1))
    assert [status for _, status, _ in told] == ["accepted"] * MOST + ["rejected"]
    assert told[-1][2] == (
        "there are 63 faults, the most allowed at once; 62 affect no device now: "
        "clear a fault first"
    )


def test_a_flood_of_injections_is_read_up_to_a_limit_in_each_tick(sim: Sim) -> None:
    wrong = [inject(f"f{n}", "sign_flip", BAT_1, nonsense=1) for n in range(MAX_EACH_TICK)]
    told = sim.tick(*wrong, inject("good", "sign_flip", BAT_1))
    assert all("'nonsense' is not a setting" in reason for *_, reason in told[:-1])
    assert told[-1][1:] == (
        "rejected",
        "more than 1,000 events and faults came in one tick: send fewer, or later",
    )
    # The limit is for a tick: the next one reads again.
    assert sim.tick(inject("good", "sign_flip", BAT_1))[0][1] == "accepted"


def test_a_number_waits_until_its_last_reading_has_left(sim: Sim) -> None:
    """A reading that is delayed bears the bit of a fault that is over."""
    sim.tick(inject("late", "delay", delay_s=5, duration_s=1))
    sim.tick(inject("flip", "sign_flip", BAT_1))
    assert sim.results[1].injected[0].number == 1
    sim.ticks(4)
    assert sim.results[5].batch.tick.tolist()[:6] == [0] * 6
    sim.tick(inject("noise", "noise", BAT_1))
    assert sim.results[-1].injected[0].number == 0


def test_draws_depend_on_the_fault_and_the_time(tmp_path: Path) -> None:
    runs = []
    for first in ("", "other"):
        sim = Sim(tmp_path)
        sim.tick(*([inject(first, "sign_flip", BAT_1)] if first else []))
        sim.tick(inject("noise", "noise", field="power_meter_measurement", absolute=0.5))
        sim.ticks(5)
        runs.append([result.batch.power_meter_measurement.tolist() for result in sim.results])
    assert runs[0] == runs[1]
    assert len({value for row in runs[0][2:] for value in row}) > 1


def test_an_injected_message_fault_alters_what_is_delivered(tmp_path: Path) -> None:
    with Run(make_plan(Options(config=Sim(tmp_path).path)), clock="manual") as run:
        run.advance(2)
        run.post(inject("cut", "truncate", BAT_1, duration_s=2))
        run.advance(4)
    lines = (tmp_path / "readings.jsonl").read_bytes().splitlines()
    broken = [place for place, line in enumerate(lines) if not line.endswith(b"}")]
    assert broken == [12, 18]


@pytest.mark.parametrize("at", [4, 7, 12])
def test_a_checkpoint_keeps_what_was_called_and_injected(tmp_path: Path, at: int) -> None:
    """Before, between and after the beginnings; and when a reading of a fault still waits."""
    sim = Sim(tmp_path)
    sim.ticks(2)
    sim.tick(
        call(after_s=4, ramp_s=3, compliance={"uniform": [0.5, 1.5]}),
        call("later", after_s=30),
        inject("late", "delay", delay_s=6, duration_s=4),
        inject("frozen", "frozen_meter", BAT_1, after_s=3, duration_s=20),
        inject("gone", "noise", BAT_1),
    )
    sim.tick(ClearFault(FLEET, "clear", "gone"))
    sim.ticks(at - 4)
    scenario = make_plan(Options(config=sim.path)).configuration.scenario
    again = resumed(sim.simulation, scenario)
    more: dict[int, list[Instruction]] = {
        15: [CancelEvent(FLEET, "cancel", "later"), inject("next", "sign_flip", BAT_1)]
    }
    for tick in range(at, 40):
        one = sim.simulation.advance(more.get(tick, []))
        other = again.advance(more.get(tick, []))
        np.testing.assert_equal(batch_state(one.batch), batch_state(other.batch))
        for name in ("acknowledgements", "settlements", "episodes", "changes", "injected"):
            assert getattr(one, name) == getattr(other, name), (tick, name)
    assert sim.simulation.tally == again.tally


def test_a_ledger_knows_which_fault_a_bit_means_at_which_tick(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    path = Sim(tmp_path, f'\n[ledger]\npath = "{ledger}"\n').path
    with Run(make_plan(Options(config=path)), clock="manual") as run:
        run.advance(2)
        run.post(inject("first", "sign_flip", BAT_1, duration_s=2, field="power_meter_measurement"))
        run.advance(3)
        run.post(inject("second", "duplicate", BAT_1, duration_s=2))
        run.post(call(duration_s=2))
        run.post(read_instruction(b"odd", BAT_1))
        run.advance(4)
    assert run.ledger_error is None
    with closing(sqlite3.connect(ledger)) as database:

        def rows(sql: str) -> list[Any]:
            return database.execute(sql).fetchall()

        assert rows("SELECT id, number, since, until FROM faults ORDER BY fault") == [
            ("first", 0, 2, 4),
            ("second", 0, 5, None),
        ]
        sql = "SELECT tick, fault FROM affected JOIN readings USING (number)"
        with query(ledger, sql) as result:
            affected = list(result.rows)
        assert affected == [
            (2, "first"),
            (3, "first"),
            (5, "second"),
            (5, "second"),
            (6, "second"),
            (6, "second"),
        ]
        assert rows("SELECT tick, sequence, project_id FROM instructions") == [
            (2, 0, "HOME_1"),
            (5, 0, "HOME_1"),
            (5, 1, ""),
            (5, 2, "HOME_1"),
        ]
        assert rows("SELECT fault, start_ms, end_ms FROM episodes") == [
            (0, START_MS + 2000, START_MS + 4000),
            (1, START_MS + 5000, START_MS + 7000),
        ]
    report = verify(VerifyOptions(ledger, (str(tmp_path / "readings.jsonl"),)), print)
    found = report.differences.causes
    causes = {kind: dict(counter) for kind, counter in found.items() if counter}
    assert causes == {"altered": {"first": 2}, "duplicate": {"second": 2}}
