"""Faults that are injected and cleared."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    CancelEvent,
    ClearFault,
    Instruction,
    read_instruction,
)
from gridsim.contracts.batch_serial import batch_state
from gridsim.contracts.instructions import FLEET
from gridsim.ledger import query
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.simulation.faults.running import MOST
from gridsim.simulation.instructed import MAX_EACH_TICK
from gridsim.verify import VerifyOptions, verify
from tests.fixtures.resumed import resumed
from tests.unit.instructed.stepped import BAT_1, START_MS, Sim, call, inject

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
        "more than 1,000 events and faults arrived in one tick: send fewer, or later",
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


def test_the_chance_of_an_altered_message_is_drawn_for_each_reading(sim: Sim) -> None:
    sim.tick(inject("torn", "truncate", BAT_1))
    sim.ticks(3)
    labels = [result.batch.labels for result in sim.results]
    chances = [float(one.chance[0]) for one in labels if one is not None]
    assert len(set(chances)) == 4
