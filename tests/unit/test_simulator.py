"""`gridsim.simulate`: readings, instructions, truth and copies, without transports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import gridsim
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.simulator.times import time_ms

HALIFAX = ZoneInfo("America/Halifax")
NOON = datetime(2026, 7, 1, 12, tzinfo=HALIFAX)
HOMES: dict[str, Any] = {
    "simulation": {"tick_s": 60.0, "seed": 7, "start": "2026-07-01T12:00:00-03:00"},
    "site": {"timezone": "America/Halifax"},
    "projects": [
        {
            "id": "HOME_{n}",
            "count": 3,
            "contract_threshold": 1.0,
            "load": {"type": "household", "annual_kwh": 9000},
            "ders": [
                {"id": "{project_id}_PV", "type": "solar", "nameplate_capacity": 5.0},
                {
                    "id": "{project_id}_BAT",
                    "type": "battery",
                    "nameplate_capacity": 5.0,
                    "energy_capacity_kwh": 10.0,
                    "initial_soc": 50,
                    "report_every_s": 300,
                },
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def at_start() -> gridsim.Simulator:
    """A simulator before its first tick, to be copied."""
    return gridsim.simulate(HOMES)


@pytest.fixture
def sim(at_start: gridsim.Simulator) -> gridsim.Simulator:
    return at_start.copy()


def assert_same(one: gridsim.ColumnTable, other: gridsim.ColumnTable) -> None:
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)


def test_the_readings_are_those_of_the_simulation(sim: gridsim.Simulator) -> None:
    table = sim.run("10m")
    plan = make_plan(Options(Path("<dict>"), content={**HOMES, "transports": [{"type": "stdout"}]}))
    direct = Simulation(plan.configuration.scenario)
    batches = [direct.step() for _ in range(10)]
    columns = table.columns
    assert len(table) == sum(map(len, batches)) == 3 * 10 + 3 * 2
    for name in ("current_output", "power_meter_measurement", "baseline", "current_soc"):
        expected = np.concatenate([getattr(batch, name) for batch in batches])
        np.testing.assert_array_equal(columns[name], expected, err_msg=name)
    times = np.concatenate([batch.timestamp_ms for batch in batches])
    np.testing.assert_array_equal(columns["timestamp"], times.view("datetime64[ms]"))
    der_id = [direct.roster.der_id[row] for batch in batches for row in batch.device]
    assert columns["der_id"].tolist() == der_id
    assert (sim.now, sim.tick) == (NOON + timedelta(minutes=10), 10)


def test_columns_have_their_names_units_and_kinds(sim: gridsim.Simulator) -> None:
    table = sim.run(ticks=1)
    assert list(table.columns) == [
        "timestamp",
        "project_id",
        "der_id",
        "type",
        "is_online",
        "current_output",
        "power_meter_measurement",
        "baseline",
        "contract_threshold",
        "current_soc",
        "is_standalone",
        "connection_start_at",
        "nameplate_capacity",
        "state_of_health",
    ]
    assert dict(table.units) == {
        "current_output": "kW",
        "power_meter_measurement": "kW",
        "baseline": "kW",
        "contract_threshold": "kW",
        "current_soc": "%",
        "nameplate_capacity": "kW",
        "state_of_health": "%",
    }
    first = table.to_dicts()[0]
    assert first["timestamp"] == NOON
    assert first["timestamp"].tzinfo == HALIFAX
    assert (first["project_id"], first["der_id"], first["type"]) == ("HOME_1", "HOME_1_PV", "solar")
    assert (first["is_online"], first["is_standalone"], first["current_soc"]) == (True, False, None)
    assert (first["contract_threshold"], first["nameplate_capacity"]) == (1.0, 5.0)
    with pytest.raises(ValueError, match="read-only"):
        table.columns["current_output"][0] = 1.0
    with pytest.raises(KeyError, match="did you mean 'current_output'"):
        table.columns["curent_output"]


def test_a_run_in_parts_is_the_run_as_a_whole(sim: gridsim.Simulator) -> None:
    whole, parts = sim, sim.copy()
    day = whole.run("2h")
    morning = parts.run(timedelta(hours=1)), parts.run(until=NOON + timedelta(hours=2))
    for name, column in day.columns.items():
        joined = np.concatenate([part.columns[name] for part in morning])
        np.testing.assert_array_equal(column, joined, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "ticks"),
    [
        ({"duration": "1h30m"}, 90),
        ({"duration": 60}, 1),
        ({"duration": np.float64(120.0)}, 2),
        ({"duration": timedelta(minutes=2)}, 2),
        ({"ticks": 0}, 0),
        ({"ticks": np.int64(3)}, 3),
        ({"until": "2026-07-01T12:05:00-03:00"}, 5),
        ({"until": "2026-07-01T15:05:01Z"}, 6),
        ({"until": NOON}, 0),
        ({"until": datetime(2026, 7, 1, 15, 1, tzinfo=UTC)}, 1),
    ],
)
def test_a_run_takes_durations_times_and_ticks(
    sim: gridsim.Simulator, arguments: dict[str, Any], ticks: int
) -> None:
    table = sim.run(**arguments, columns=["seq"])
    assert sim.tick == ticks
    assert np.unique(table.columns["seq"]).tolist() == list(range(ticks))


def test_a_date_means_midnight_at_the_site() -> None:
    midnight = datetime(2026, 7, 2, tzinfo=HALIFAX).timestamp() * 1000
    for given in (date(2026, 7, 2), "2026-07-02"):
        assert time_ms(given, "America/Halifax", "until") == midnight


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "needs one of a duration, until= and ticks=, such as run..1d..$"),
        ({"duration": "1h", "ticks": 3}, ValueError, "needs one of"),
        ({"duration": "soon"}, ValueError, "duration 'soon' is not a duration; write"),
        ({"duration": "90s"}, ValueError, "duration 90s is not a whole number of ticks, which are"),
        ({"duration": "0s"}, ValueError, "duration 0s is not a whole number of ticks"),
        ({"duration": -60}, ValueError, "duration must be at least 0, not -60 s"),
        ({"duration": float("nan")}, ValueError, "duration must be at least 0, not nan s"),
        ({"duration": True}, TypeError, "duration must be a duration, not bool"),
        ({"until": "now"}, ValueError, "until must be a time, not 'now'"),
        ({"until": "2026-07-01T11:59:59-03:00"}, ValueError, "is before the present simulated"),
        ({"until": datetime(2026, 7, 2)}, ValueError, "until has no offset from UTC"),
        ({"until": 3}, TypeError, "until must be a time, not int"),
        ({"ticks": -1}, ValueError, "ticks must be at least 0, not -1"),
        ({"ticks": 1.5}, TypeError, "ticks must be a whole number, not float"),
        ({"ticks": 1, "columns": "seq"}, ValueError, r"list of names, such as \['seq'\]"),
        ({"ticks": 1, "columns": []}, ValueError, "columns is empty"),
        ({"ticks": 1, "columns": ["seq", "seq"]}, ValueError, "columns has 'seq' twice"),
        ({"ticks": 1, "columns": ["soc"]}, ValueError, "there is no column 'soc'"),
        ({"ticks": 1, "every": "30s"}, ValueError, "every 30s is not a whole number of ticks"),
    ],
)
def test_a_wrong_argument_names_itself(
    sim: gridsim.Simulator, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sim.run(**arguments)
    assert sim.tick == 0


def test_every_keeps_the_first_reading_of_each_device_in_each_interval(
    sim: gridsim.Simulator,
) -> None:
    other = sim.copy()
    table = sim.run("1h", every="15m", columns=["seq", "der_id", "current_output"])
    assert list(table.columns) == ["seq", "der_id", "current_output"]
    whole = other.run("1h", columns=["seq", "der_id", "current_output"]).to_dicts()
    first: dict[tuple[str, int], dict[str, Any]] = {}
    for row in whole:
        first.setdefault((row["der_id"], row["seq"] // 15), row)
    assert table.to_dicts() == list(first.values())
    assert len(first) == 6 * 4


def test_an_instruction_is_pending_until_the_next_run(sim: gridsim.Simulator) -> None:
    sent = sim.send("HOME_1_BAT", "set_power", -3, duration="5m")
    assert (sent.state, sent.reason, sent.id) == ("pending", "", "python-1")
    sim.run("1m")
    assert sent.state == "accepted"
    table = sim.run("4m", columns=["der_id", "current_output"])
    sim.run("1m")
    assert sent.state == "completed"
    battery = table.columns["der_id"] == "HOME_1_BAT"
    assert set(table.columns["current_output"][battery]) <= {-3.0}
    assert sim.instructions == (sent,)


def test_an_instruction_that_is_not_well_formed_raises_at_once(sim: gridsim.Simulator) -> None:
    calls: dict[str, Callable[[], object]] = {
        "did you mean 'HOME_1_BAT'": lambda: sim.send("HOME_1_BATT", "connect"),
        "'command' must be one of": lambda: sim.send("HOME_1", "explode"),  # type: ignore[arg-type]
        "'value' is missing": lambda: sim.send("HOME_1_BAT", "set_power"),
        "'periods' must be a list": lambda: sim.send("HOME_1_BAT", "set_power", periods=[]),
        r"periods\[0\] must be a start": lambda: sim.send("HOME_1_BAT", "set_power", periods=[1]),  # type: ignore[list-item]
        r"the start of periods\[0\] 'x'": lambda: sim.send(
            "HOME_1", "set_power", periods=[("x", 1)]
        ),
        "did you mean 'target_kw'": lambda: sim.call_event("peak", duration="1h", target_kW=2),
        "duration is given twice": lambda: sim.call_event("p", duration="1h", duration_s=3),
        "did you mean 'offline'": lambda: sim.inject("ofline"),
        "no DER that matches 'HOUSE": lambda: sim.inject("offline", ders="HOUSE_*"),
        "no DER and no project that matches": lambda: sim.inject("offline", "HOUSE_*"),
    }
    for message, call in calls.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="target must be an id or a pattern, not int"):
        sim.send(3, "connect")  # type: ignore[arg-type]
    assert sim.instructions == ()


def test_an_instruction_that_the_simulation_rejects_has_the_reason(sim: gridsim.Simulator) -> None:
    rejected = sim.cancel_event("peak")
    sim.run(ticks=1)
    assert (rejected.state, rejected.reason) == ("rejected", "there is no event 'peak'")
    assert repr(rejected) == "<CancelEvent 'python-1': rejected (there is no event 'peak')>"


def test_nothing_is_started_written_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = threading.active_count()
    around = {
        "transports": [{"type": "file", "path": "readings.jsonl"}, {"type": "no such type"}],
        "sources": [{"type": "mqtt", "password": "${NOT_SET}"}],
        "views": [{"type": "web"}],
        "ledger": {},
    }
    sim = gridsim.simulate({**HOMES, **around})
    sim.run("2m")
    sim.truth.events.to_dicts()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
