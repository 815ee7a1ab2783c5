"""Tables of a simulator in pandas, polars, Arrow and HTML; and the errors of its configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas
import pyarrow
import pytest

import gridsim
from gridsim.simulator.column import TableColumn

ZONE = ZoneInfo("America/Halifax")
TEXT = """
[simulation]
tick_s = 60
start = 2026-07-01T12:00:00-03:00

[site]
timezone = "America/Halifax"

[[projects]]
id = "HOME"
load = { type = "constant", kw = 1.25 }

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""


@pytest.fixture(scope="module")
def sim() -> gridsim.Simulator:
    return gridsim.simulate(TEXT, seed=1)


@pytest.fixture(scope="module")
def readings(sim: gridsim.Simulator) -> gridsim.Readings:
    return sim.copy().run("20m")


def test_pandas_gets_zones_categories_units_and_data_of_its_own(
    readings: gridsim.Readings,
) -> None:
    frame = readings.to_pandas()
    assert list(frame.columns) == list(readings.columns)
    assert frame["timestamp"].dtype == pandas.DatetimeTZDtype("ms", ZONE)
    assert frame["timestamp"].iloc[-1].isoformat() == "2026-07-01T12:19:00-03:00"
    assert list(frame["der_id"].cat.categories) == ["PV", "BAT"]
    assert frame["der_id"].iloc[:3].tolist() == ["PV", "BAT", "PV"]
    assert frame["is_online"].dtype == bool
    assert frame.attrs["units"] == dict(readings.units)
    assert frame.groupby("type", observed=True)["current_soc"].count().to_dict() == {
        "battery_storage": 20,
        "solar": 0,
    }
    frame.loc[0, "current_output"] = 99.0
    assert readings.columns["current_output"][0] != 99.0


def test_arrow_has_zones_dictionaries_nulls_and_units(readings: gridsim.Readings) -> None:
    table = readings.to_arrow()
    types = {field.name: str(field.type) for field in table.schema}
    assert types["timestamp"] == "timestamp[ms, tz=America/Halifax]"
    assert types["der_id"].startswith("dictionary<values=string, indices=int32")
    assert (types["current_output"], types["is_online"]) == ("double", "bool")
    assert table.schema.field("current_soc").metadata == {b"unit": b"%"}
    assert table.schema.field("der_id").metadata is None
    assert table["current_soc"].null_count == 20
    assert table.slice(0, 2).to_pylist() == readings.to_dicts()[:2]
    # The protocol of Arrow streams gives the same.
    assert pyarrow.table(readings).equals(table)


def test_polars_gets_the_same_directly_and_by_the_stream(readings: gridsim.Readings) -> None:
    polars = pytest.importorskip("polars")
    frame = readings.to_polars()
    assert frame.schema["timestamp"] == polars.Datetime("ms", "America/Halifax")
    assert frame.schema["der_id"] == polars.Categorical
    assert frame["current_soc"].null_count() == 20
    assert frame.to_dicts() == readings.to_dicts() == polars.DataFrame(readings).to_dicts()


@pytest.mark.parametrize("what", ["events", "violations", "faults"])
def test_empty_tables_have_their_columns_everywhere(sim: gridsim.Simulator, what: str) -> None:
    table: gridsim.ColumnTable = getattr(sim.truth, what)
    assert (len(table), table.to_dicts()) == (0, [])
    assert table.to_arrow().num_rows == len(table.to_pandas()) == 0
    assert table.to_arrow().column_names == list(table.to_pandas().columns) == list(table.columns)
    assert "0 rows" in repr(table)
    assert "0 rows" in table._repr_html_()


@pytest.mark.parametrize(
    ("library", "method", "extra"),
    [
        ("pandas", "to_pandas", "pandas"),
        ("polars", "to_polars", "polars"),
        ("pyarrow", "to_arrow", "arrow"),
        ("pyarrow", "__arrow_c_stream__", "arrow"),
    ],
)
def test_a_missing_library_is_an_error_with_what_to_install(
    readings: gridsim.Readings,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    method: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    message = rf"needs {library}, which is not installed: pip install 'gridsim-der\[{extra}\]'"
    with pytest.raises(ModuleNotFoundError, match=message) as caught:
        getattr(readings, method)()
    assert caught.value.name == library


def test_the_memory_of_a_reading_is_known(readings: gridsim.Readings) -> None:
    # 53 bytes, and 8 for the state of health that batteries report.
    assert readings.nbytes == 40 * (53 + 8)


def test_text_and_html_show_a_table(readings: gridsim.Readings) -> None:
    first, times, columns = repr(readings).splitlines()
    assert first == "Readings: 40 rows in 14 columns"
    assert times == ("  2026-07-01 12:00:00-03:00 to 2026-07-01 12:19:00-03:00 (America/Halifax)")
    assert "current_output (kW)" in columns
    html = readings._repr_html_()
    assert html.count("<tr>") == 1 + 5 + 1 + 5
    assert "<th>current_output<br><small>kW</small></th>" in html
    assert html.count("2026-07-01 12:00:00-03:00") == 2


def test_html_is_escaped() -> None:
    evil = "<script>alert(1)</script>&"
    codes = np.zeros(1, np.int32)
    table = gridsim.ColumnTable([TableColumn(evil, "category", codes, evil, None, [evil])], "UTC")
    assert "<script>" not in table._repr_html_()
    assert table._repr_html_().count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;") == 3
    named = TEXT.replace("HOME", "<b>HOME").replace('"PV"', '"<i>PV"')
    html = gridsim.simulate(named)._repr_html_()
    assert "<text>" not in html
    assert "&lt;text&gt;" in html


def test_a_simulator_shows_its_fleet_in_five_lines(sim: gridsim.Simulator) -> None:
    own = sim.copy()
    zone = "2026-07-01 12:00:00-03:00"
    assert repr(own).splitlines() == [
        "Simulator of <text>, seed 1",
        "  1 project, 2 DERs: 1 battery_storage, 1 solar",
        f"  {zone} (America/Halifax), 0 ticks of 60 s since {zone}",
        "  no tick yet",
        "  0 events running, 0 faults running, 0 pending instructions",
    ]
    own.send("BAT", "set_power", 0)
    own.inject("offline", "BAT", id="dark")
    assert repr(own).splitlines()[-1].endswith("0 faults running, 2 pending instructions")
    own.run(ticks=1)
    *_, power, last = repr(own).splitlines()
    assert power.startswith("  load 1.25 kW, battery_storage +0.00 kW, solar +")
    assert last == "  0 events running, 1 fault running (dark), 0 pending instructions"
    assert "<td>battery_storage</td><td>1</td><td>5.00</td><td>+0.00</td>" in own._repr_html_()


def test_an_error_of_a_text_has_its_line_and_a_caret(tmp_path: Path) -> None:
    wrong = TEXT.replace('"solar"', '"sola"').replace("5.0\nenergy", "-5.0\nenergy")
    with pytest.raises(gridsim.UsageError) as caught:
        gridsim.simulate(wrong)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("<text>:15:8: error: there is no DER 'sola'")
    assert lines[0].endswith("did you mean 'solar'?")
    assert lines[1:3] == ['    type = "sola"', "           ^"]
    assert lines[3].startswith("<text>:21:22: error: 'nameplate_capacity' must be")
    path = tmp_path / "home.toml"
    path.write_text(wrong)
    with pytest.raises(gridsim.UsageError) as of_file:
        gridsim.simulate(path)
    assert str(of_file.value) == str(caught.value).replace("<text>", str(path))
    for torn in ("[simulation\n", 'a = "\ud800"\n'):
        with pytest.raises(gridsim.UsageError, match=r"^<text>:"):
            gridsim.simulate(torn)


class Size(IntEnum):
    SMALL = 2


def tables(**ders: Any) -> dict[str, Any]:
    der = {"id": "PV", "type": "solar", "nameplate_capacity": 5.0, **ders}
    return {"projects": [{"id": "HOME", "ders": [der]}]}


def cyclic() -> dict[str, Any]:
    table: dict[str, Any] = {}
    table["site"] = [table, table]
    return table


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (tables(type="sola"), r"^projects\[0\].ders\[0\].type: error: there is no DER 'sola'"),
        (tables(tlit=3), r"ders\[0\].tlit: error: 'tlit' is not .*; did you mean 'tilt'"),
        (tables(nameplate_capacity=None), r"capacity: error: must not be None: leave the key out"),
        (tables(tilt={1}), r"^projects\[0\].ders\[0\].tilt: error: must be .*, not set$"),
        (tables(tilt="a" * 3 + "\ud800"), r"tilt: error: is not UTF-8"),
        ({"projects": [{"id": "HOME"}]}, r"^projects\[0\].*: error: "),
        ({}, r"^(projects|the configuration): error: "),
        ({3: 4}, "^the configuration: error: has the key 3, which is not a text$"),
        ({**tables(), "a b": {}}, r"^\['a b'\]: error: 'a b' is not a table"),
        (cyclic(), "error: is nested deeper than 32 levels$"),
        ({**tables(), "simulation": {"tick_s": 0}}, r"^simulation.tick_s: error: 'tick_s' must be"),
    ],
)
def test_an_error_of_a_dict_has_the_path_of_its_key(config: dict[Any, Any], message: str) -> None:
    with pytest.raises(gridsim.UsageError, match=message):
        gridsim.simulate(config)


def test_a_dict_may_have_values_of_numpy_and_of_the_standard_library() -> None:
    plain = {**tables(nameplate_capacity=2.0, tilt=30), "simulation": {"tick_s": 60, "seed": 3}}
    rich = {
        **tables(nameplate_capacity=Size.SMALL, tilt=np.float32(30), id=PurePosixPath("PV")),
        "simulation": {"tick_s": np.int64(60), "seed": np.uint8(3)},
    }
    rich["projects"] = tuple(rich["projects"])
    noon = datetime(2026, 7, 1, 12, tzinfo=ZONE)
    one = gridsim.simulate(plain, start=noon.isoformat()).run("1m").to_dicts()
    assert gridsim.simulate(rich, start=pandas.Timestamp(noon)).run("1m").to_dicts() == one
    assert one[0]["timestamp"] == noon
    rich["simulation"] |= {"start": noon}
    assert gridsim.simulate(rich).run(timedelta(minutes=1)).to_dicts() == one


def test_what_is_neither_a_path_nor_a_text_nor_a_dict_is_refused(tmp_path: Path) -> None:
    calls: dict[str, Callable[[], object]] = {
        "config must be the path of a TOML file, .* not bytes": lambda: gridsim.simulate(
            b"[site]\n"  # type: ignore[arg-type]
        ),
        "config must be .* not NoneType": lambda: gridsim.run(None),  # type: ignore[arg-type]
        "start must be a time, not int": lambda: gridsim.simulate(
            TEXT,
            start=3,  # type: ignore[arg-type]
        ),
    }
    for message, call in calls.items():
        with pytest.raises(TypeError, match=message):
            call()
    for wrong, message in {
        str(tmp_path / "nowhere.toml"): "nowhere.toml: there is no such file",
        "projects = []": "projects = .*: there is no such file. If this is TOML text, end it",
        "": "^<text>:|^projects",
    }.items():
        with pytest.raises(gridsim.UsageError, match=message):
            gridsim.simulate(wrong)
    for arguments, message in (
        ({"seed": -1}, "^seed=-1: error: 'seed' must be"),
        ({"start": "soon"}, "^start='soon': error: 'start' must be"),
        ({"start": datetime(2026, 7, 1)}, "has no offset from UTC"),
        ({"overrides": ["simulation.tick=3"]}, "^--set simulation.tick=3: error: "),
    ):
        with pytest.raises(gridsim.UsageError, match=message):
            gridsim.simulate(TEXT, **arguments)


def test_a_live_run_takes_text_and_dicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    transport = {"type": "file", "path": "out.jsonl"}
    with gridsim.run({**tables(), "transports": [transport]}, speed=0, duration="3s") as run:
        assert run.wait(30)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3
    text = TEXT + '[[transports]]\ntype = "mqtt"\n'
    only = ["transports.0.type='file'", "transports.0.path='again.jsonl'"]
    run = gridsim.run(text, speed=0, duration="2m", overrides=only)
    assert run.plan.transports[0].name == "file"
    run.plan.close()
    # A type that a program gives again is the type that it gave.
    again = gridsim.run(
        {**tables(), "transports": [transport]}, overrides=["transports.0.type='file'"]
    )
    assert str(tmp_path / "out.jsonl") in again.plan.transports[0].transport.describe() or (
        "out.jsonl" in again.plan.transports[0].transport.describe()
    )
    again.plan.close()
