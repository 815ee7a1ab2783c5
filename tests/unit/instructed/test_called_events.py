"""Events that are called and cancelled."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    CancelEvent,
    ClearFault,
    InjectFault,
    Instruction,
    Target,
)
from gridsim.contracts.instructions import FLEET
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.step import Simulation
from tests.unit.instructed.stepped import BAT_1, HOME_1, START_MS, Sim, call, inject

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


def test_the_baseline_of_a_project_that_cancels_in_time_is_no_longer_held(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[int]] = []
    monkeypatch.setattr(Baselines, "event_over", lambda _, sites: told.append(sites.tolist()))
    sim.tick(call(notice_s=5))
    sim.tick(CancelEvent(Target("HOME_2"), "stop", "peak"))
    assert told == [[1]]


def test_a_call_answers_cancelled_at_its_own_cancel_after_s(sim: Sim) -> None:
    sim.tick(call(cancel_after_s=3))
    assert sim.ticks(4) == [("call-peak", "cancelled", "by its cancel_after_s")]


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
