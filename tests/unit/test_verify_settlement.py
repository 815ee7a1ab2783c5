"""A user's settlement against the true one."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from gridsim.errors import UsageError
from gridsim.ledger.query import query
from gridsim.verify import VerifyOptions, verify
from gridsim.verify.report import VerifyReport
from tests.fixtures.ledgers import Kept, keep

# The contract promises 2 kW: the first event calls for less, and so for a violation; the second
# for more than the battery has, which is still enough.
EVENTS = """
[[events]]
id = "short"
projects = ["HOME_1"]
after_s = 60
duration_s = 900
target_kw = 1.0
compliance = 1.2

[[events]]
id = "beyond"
projects = ["HOME_2"]
after_s = 60
duration_s = 900
target_kw = 50.0
"""
HEADER = "event,project_id,reduction_kwh,violation_start,violation_end\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("events"), more=EVENTS, ticks=1000)


def settlements(kept: Kept) -> list[tuple[str, str, float, list[tuple[str, str]]]]:
    """Read the settlements of a ledger with SQL, as a user would."""
    import sqlite3

    connection = sqlite3.connect(kept.ledger)
    stamp = "strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1000.0, 'unixepoch')"
    found = []
    for key, event, project, kwh in connection.execute(
        "SELECT settlement, event, project_id, delivered_kwh FROM settlements "
        "JOIN projects USING (project) ORDER BY event"
    ).fetchall():
        spans = connection.execute(
            f"SELECT {stamp.format('start_ms')}, {stamp.format('end_ms')} FROM violations "
            "WHERE settlement = ?",
            (key,),
        ).fetchall()
        found.append((event, project, kwh, spans))
    connection.close()
    return found


def write(path: Path, rows: list[tuple[str, str, float, list[tuple[str, str]]]]) -> Path:
    lines = [
        f"{event},{project},{kwh},{start},{end}\n"
        for event, project, kwh, spans in rows
        for start, end in spans or [("", "")]
    ]
    path.write_text(HEADER + "".join(lines))
    return path


def judge(kept: Kept, path: Path, **options: float) -> VerifyReport:
    return verify(VerifyOptions(kept.ledger, expect=path, **options), print)  # type: ignore[arg-type]


def test_the_right_settlement_passes(kept: Kept, tmp_path: Path) -> None:
    rows = settlements(kept)
    assert [(event, bool(spans)) for event, _, _, spans in rows] == [
        ("beyond", False),
        ("short", True),
    ]
    report = judge(kept, write(tmp_path / "right.csv", rows))
    assert report.passed
    assert report.verdict is not None
    assert report.verdict.compared == 2


def test_the_settlement_view_of_the_ledger_passes(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "view.csv"
    with query(kept.ledger, "SELECT * FROM settlement") as found, path.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(found.columns)
        writer.writerows(found.rows)
    assert judge(kept, path).passed


def test_violations_that_are_not_compared_are_named(kept: Kept, tmp_path: Path) -> None:
    rows = [f"{event},{project},{kwh}" for event, project, kwh, _ in settlements(kept)]
    path = tmp_path / "energy.csv"
    path.write_text("\n".join(["event,project_id,reduction_kwh", *rows]))
    report = judge(kept, path)
    assert report.passed
    note = "  violations not compared, because your file has no columns violation_start and "
    assert f"{note}violation_end" in report.lines()
    with_them = judge(kept, write(tmp_path / "all.csv", settlements(kept)))
    assert not any("not compared" in line for line in with_them.lines())


def test_a_wrong_reduction_is_found_beyond_the_tolerance(kept: Kept, tmp_path: Path) -> None:
    first, (event, project, kwh, spans) = settlements(kept)
    path = write(tmp_path / "wrong.csv", [first, (event, project, kwh + 0.1, spans)])
    report = judge(kept, path)
    assert not report.passed
    assert report.verdict is not None
    [line] = report.verdict.differences
    assert line.startswith("short HOME_1: ")
    assert list(report.lines())[-1] == "FAIL: 0 unexplained, 1 in settlements"
    assert judge(kept, path, tolerance_kwh=0.1).passed


def test_a_wrong_violation_is_found_beyond_the_tolerance(kept: Kept, tmp_path: Path) -> None:
    beyond, (event, project, kwh, [(start, end)]) = settlements(kept)
    early = start.replace(start[17:19], f"{int(start[17:19]) + 3:02}", 1)
    for spans in ([], [(early, end)], [(start, end), (start, end)]):
        path = write(tmp_path / "spans.csv", [(event, project, kwh, spans), beyond])
        assert not judge(kept, path).passed, spans
    path = write(tmp_path / "spans.csv", [(event, project, kwh, [(early, end)]), beyond])
    assert judge(kept, path, tolerance_s=3).passed


def test_settlements_that_only_one_side_has_are_found(kept: Kept, tmp_path: Path) -> None:
    beyond, short = settlements(kept)
    report = judge(kept, write(tmp_path / "few.csv", [beyond, ("other", *short[1:])]))
    assert report.verdict is not None
    assert len(report.verdict.differences) == 2


def test_a_settlement_from_a_spreadsheet_with_epoch_times(kept: Kept, tmp_path: Path) -> None:
    lines = ["event;project_id;reduction_kwh;violation_start;violation_end"]
    for event, project, kwh, spans in settlements(kept):
        for span in spans or [("", "")]:
            ms = [round(datetime.fromisoformat(t).timestamp() * 1000) if t else "" for t in span]
            lines.append(f"{event};{project};{str(kwh).replace('.', ',')};{ms[0]};{ms[1]}")
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    assert judge(kept, path).passed


def test_reductions_alone_are_enough(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "kwh.csv"
    rows = [f"{event},{project},{kwh}\n" for event, project, kwh, _ in settlements(kept)]
    path.write_text("event,project_id,reduction_kwh\n" + "".join(rows))
    assert judge(kept, path).passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event,project_id\neasy,HOME_1\n", "no column 'reduction_kwh'"),
        (HEADER + "easy,HOME_1,much,,\n", "line 2: reduction_kwh 'much' is not a finite number"),
        (HEADER + "easy,HOME_1,nan,,\n", "line 2: reduction_kwh 'nan' is not a finite number"),
        (HEADER + "easy,HOME_1,1,noon,\n", "not a valid time interval"),
        (HEADER + "easy,HOME_1,1,,\neasy,HOME_1,2,,\n", "line 3: reduction_kwh differs from"),
    ],
)
def test_what_cannot_be_read_is_located(
    kept: Kept, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        judge(kept, path)
