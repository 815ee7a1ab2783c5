"""`gridsim report`: the table, the CSV and the JSON of settled and true reductions."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from gridsim.cli import app
from gridsim.ledger.reductions import read_reductions
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.text.reductions import report_lines

HOMES = """
[simulation]
speed = 0
tick_s = 10
start = 2026-07-24T18:00:00Z
[ledger]
path = "{folder}/ledger.sqlite"
overwrite = true
{ledger}
[[transports]]
type = "file"
path = "{folder}/readings.jsonl"
"""
HOME = """
[[projects]]
id = "{id}"
contract_threshold = 2.0
{baseline}
load = {{ type = "constant", kw = 3.0 }}
[[projects.ders]]
id = "{id}_BAT"
type = "battery"
losses = "ideal"
strategy = "{strategy}"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
initial_soc = 90
"""
PEAK = """
[[events]]
id = "peak"
start = 2026-07-24T18:10:00Z
duration_s = 1800
"""
THREE = (
    HOME.format(id="A", baseline="", strategy="idle")
    + HOME.format(id="B", baseline="baseline = 4.0", strategy="idle")
    + HOME.format(id="C", baseline="baseline = 3.0", strategy="self_consumption")
)


def ledger(folder: Path, *, more: str = PEAK, own: str = "", ticks: int = 360) -> Path:
    path = folder / "homes.toml"
    text = HOMES.format(folder=folder.as_posix(), ledger=own) + THREE + more
    path.write_text(text, encoding="utf-8")
    with Run(make_plan(Options(path, duration=f"{ticks * 10}s"))) as run:
        run.wait()
    return folder / "ledger.sqlite"


@pytest.fixture(scope="module")
def peak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of a run with one event, which no test changes."""
    return ledger(tmp_path_factory.mktemp("peak"))


@pytest.fixture(scope="module")
def formula(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an event whose id looks like a formula, and which asks for too much."""
    event = PEAK.replace('"peak"', '"-peak"') + "target_kw = 9.0\n"
    return ledger(tmp_path_factory.mktemp("formula"), more=event)


class Printed(NamedTuple):
    exit_code: int
    stdout: str


Command = Callable[..., Printed]


@pytest.fixture
def printed(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return the command `gridsim report`, in this process."""

    def run(*arguments: object, command: str = "report") -> Printed:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ending:
            app([command, *map(str, arguments)])
        return Printed(int(ending.value.code or 0), capfd.readouterr().out)

    return run


def test_the_table_has_the_error_of_each_method(peak: Path, printed: Command) -> None:
    """A is right. B's baseline is 1 kW too high. C would deliver 3 kW without the event."""
    result = printed(peak)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "event  baseline     projects  asked  settled  true  error  error %  per project  rebound",
        "peak   expectation         1   1.00     1.00  1.00   0.00       +0        0.000     0.00",
        "peak   constant            2   2.00     2.00  0.00  +2.00        -        1.000     0.00",
        "peak   all                 3   3.00     3.00  1.00  +2.00     +200        0.667     0.00",
        "",
    ]
    assert "rebound: the reduction in the 10 min after the event; negative: more is drawn." in lines


def test_a_line_of_the_csv_is_an_event_on_a_project(
    tmp_path: Path, peak: Path, printed: Command
) -> None:
    target = tmp_path / "truth.csv"
    assert printed(peak, "--csv", target).exit_code == 0
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["project_id"] for row in rows] == ["A", "B", "C"]
    assert rows[0] == {
        "event": "peak",
        "project_id": "A",
        "method": "expectation",
        "start": "2026-07-24T18:10:00.000Z",
        "end": "2026-07-24T18:40:00.000Z",
        "ending": "completed",
        "target_kwh": "1.0",
        "settled_kwh": "1.0",
        "true_kwh": "1.0",
        "error_kwh": "0.0",
        "rebound_kwh": "0.0",
        "rebound_s": "600.0",
        "reason": "",
    }


@pytest.mark.parametrize(("options", "mark"), [((), ""), (("--quote-formulas",), "'")])
def test_an_id_like_a_formula_is_quoted_by_choice(
    tmp_path: Path, formula: Path, printed: Command, options: tuple[str, ...], mark: str
) -> None:
    target = tmp_path / "truth.csv"
    assert printed(formula, "--csv", target, *options).exit_code == 0
    with target.open(newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert (first["event"], first["project_id"]) == (f"{mark}-peak", "A")
    assert first["reason"] == "asked 9.00, able 5.00 kW"
    sql = "SELECT event, project_id FROM settled LIMIT 1"
    done = printed(formula, sql, *options, command="query")
    assert done.stdout.splitlines()[1] == f"{mark}-peak,A"


def test_the_json_has_the_same_numbers(peak: Path, printed: Command) -> None:
    found = json.loads(printed(peak, "--json").stdout)
    assert found["complete"] is True
    assert [(one["method"], one["error_kwh"]) for one in found["events"]] == [
        ("expectation", 0.0),
        ("constant", 2.0),
        ("all", 2.0),
    ]
    assert found["unmeasured"] == []


def test_several_events_have_a_second_table(tmp_path: Path, printed: Command) -> None:
    later = PEAK.replace('"peak"', '"later"').replace("18:10", "18:50").replace("1800", "600")
    lines = printed(ledger(tmp_path, more=PEAK + later, ticks=420)).stdout.splitlines()
    assert lines[8].split()[:3] == ["event", "baseline", "settlements"]
    assert lines[9].split() == [
        "all",
        "expectation",
        "2",
        "1.33",
        "1.33",
        "1.33",
        "0.00",
        "+0",
        "0.000",
        "0.00",
    ]


def test_a_ledger_without_events_says_so(tmp_path: Path, printed: Command) -> None:
    result = printed(ledger(tmp_path, more="", ticks=2))
    assert (result.exit_code, result.stdout) == (
        0,
        f"{tmp_path}/ledger.sqlite has no settlement: no event has ended for a project.\n",
    )


def test_a_ledger_without_the_truth_says_so(tmp_path: Path) -> None:
    lines = report_lines(read_reductions(ledger(tmp_path, own="counterfactual = false")))
    assert lines[1].split() == ["peak", "expectation", "1", "1.00", "1.00", "-", "-", "-", "-", "-"]
    assert any("the run had [ledger] counterfactual = false" in line for line in lines)


def test_the_caveat_of_a_method_stands_below_its_settlements(tmp_path: Path) -> None:
    home = HOME.format(id="D", baseline='baseline = "like_days"', strategy="idle")
    found = read_reductions(ledger(tmp_path, more=home + PEAK))
    assert list(found.caveats) == ["like_days"]
    assert found.as_json()["caveats"] == found.caveats
    [said] = [line for line in report_lines(found) if line.startswith("like_days: ")]
    assert said.startswith("like_days: for days before the start the expected loads are used")
    assert said.endswith("Saturdays and Sundays without an event.")


def test_opted_out_projects_are_not_counted(tmp_path: Path) -> None:
    found = read_reductions(ledger(tmp_path, more=PEAK + "opt_out = 1.0\n"))
    assert (found.opted_out, found.events) == (3, [])
    assert "has no settlement" in report_lines(found)[0]


def test_events_that_are_not_measured_are_named(tmp_path: Path, printed: Command) -> None:
    many = "".join(PEAK.replace('"peak"', f'"e{n}"') for n in range(9))
    result = printed(ledger(tmp_path, more=many, ticks=300))
    expected = (
        "The true reduction of e8 is not known: its projects have more than 8 events at once."
    )
    assert expected in result.stdout.splitlines()


def test_an_incomplete_ledger_says_so(tmp_path: Path, peak: Path, printed: Command) -> None:
    path = Path(shutil.copy(peak, tmp_path))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = 0 WHERE key = 'complete'")
    assert printed(path).stdout.startswith(f"{path} is incomplete: the run has not ended")


@pytest.mark.parametrize("content", [None, "", "not a ledger"])
def test_another_file_is_refused(tmp_path: Path, printed: Command, content: str | None) -> None:
    path = tmp_path / "other.sqlite"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = printed(path)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_csv_never_replaces_a_ledger(tmp_path: Path, printed: Command) -> None:
    path = ledger(tmp_path, ticks=2)
    before = path.read_bytes()
    assert printed(path, "--csv", path).exit_code == 2
    assert path.read_bytes() == before
    assert printed(path, "--csv", tmp_path / "no" / "such.csv").exit_code == 2
