"""A difference that readings share is said as one, and permitted only on request."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gridsim.errors import UsageError
from gridsim.verify import VerifyOptions, VerifyReport, verify
from tests.fixtures.ledgers import Kept, keep

Record = dict[str, Any]
Change = Callable[[Record], Record]

READINGS = 240
START = 'simulation.start="2026-07-01T12:00:00.250Z"'


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept"), overrides=(START,))


@pytest.fixture(scope="module")
def autumn(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Two hours, in which the clock of Berlin goes back at 01:00 UTC."""
    overrides = ('simulation.start="2026-10-25T00:00:00Z"', "simulation.tick_s=300")
    return keep(tmp_path_factory.mktemp("autumn"), ticks=24, overrides=overrides)


def records(kept: Kept) -> list[Record]:
    return [json.loads(line) for line in kept.lines]


def judge(kept: Kept, path: Path, rows: list[Record], **options: object) -> VerifyReport:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return verify(VerifyOptions(kept.ledger, (str(path),), **options), print)  # type: ignore[arg-type]


def test_ids_with_a_text_before_them(kept: Kept, tmp_path: Path) -> None:
    rows = [row | {"der_id": f"site/{row['der_id']}"} for row in records(kept)]
    [pattern] = judge(kept, tmp_path / "ids.csv", rows).patterns
    assert str(pattern).startswith(f"der_id: all {READINGS} have 'site/' before them: 'site/")


def moved(move: Callable[[datetime], datetime | str], *names: str) -> Change:
    def change(record: Record) -> Record:
        times = {n: move(datetime.fromisoformat(record[n])) for n in names or ("timestamp",)}
        return record | {
            name: time if isinstance(time, str) else time.isoformat()
            for name, time in times.items()
        }

    return change


def seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)


def minutes(time: datetime) -> datetime:
    return time.replace(microsecond=0, second=0)


def berlin(time: datetime) -> str:
    local = time.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    return local.isoformat(" ", "milliseconds")


def later(**step: float) -> Callable[[datetime], datetime]:
    return lambda time: time + timedelta(**step)


BOTH = ("timestamp", "connection_start_at")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            moved(seconds),
            "timestamp: all 240 are 0.25 s early: your system keeps whole seconds "
            "(--time-tolerance 1s allows it)",
        ),
        (
            moved(seconds, *BOTH),
            "timestamp and connection_start_at: all 240 are 0.25 s early: your system keeps whole "
            "seconds (--time-tolerance 1s allows it)",
        ),
        (
            moved(berlin, *BOTH),
            "timestamp and connection_start_at: all 240 are 2 h late: your system keeps a local "
            "time without an offset, as in Europe/Berlin (--assume-zone NAME allows it)",
        ),
        (
            moved(later(seconds=5)),
            "timestamp: all 240 are 5 s late (--time-tolerance 5s allows it)",
        ),
        (
            moved(later(seconds=-1)),
            "timestamp: all 240 are 1 s early (--time-tolerance 1s allows it)",
        ),
        (
            moved(lambda time: seconds(time) + timedelta(seconds=1)),
            "timestamp: all 240 are 0.75 s late: your system keeps whole seconds "
            "(--time-tolerance 1s allows it)",
        ),
        (
            moved(later(milliseconds=250)),
            "timestamp: all 240 are 0.25 s late (--time-tolerance 0.25s allows it)",
        ),
        (
            moved(later(days=3, milliseconds=1)),
            "timestamp: all 240 are 259200.001 s late (--time-tolerance 259200.001s allows it)",
        ),
        (
            moved(later(seconds=60)),
            "timestamp: all 240 are 1 min late (--time-tolerance 60s allows it)",
        ),
        (
            moved(minutes),
            "timestamp: all 240 are up to 39.25 s early: your system keeps whole minutes "
            "(--time-tolerance 60s allows it)",
        ),
        (
            lambda r: r | {"baseline": round(r["baseline"] + 0.01, 2)},
            "baseline: all 240 are 0.01 more than the sent value",
        ),
        (
            lambda r: r | {"power_meter_measurement": r["power_meter_measurement"] * 1000},
            "power_meter_measurement: all 240 are 1000 times the sent value: W instead of kW?",
        ),
        (
            lambda r: r | {"power_meter_measurement": -r["power_meter_measurement"]},
            "power_meter_measurement: all 240 have the opposite sign",
        ),
        (
            lambda r: r | {"power_meter_measurement": r["power_meter_measurement"] + 1.5},
            "power_meter_measurement: all 240 are 1.5 more than the sent value",
        ),
    ],
)
def test_a_difference_in_common_is_said_as_one(
    kept: Kept, tmp_path: Path, change: Change, said: str
) -> None:
    report = judge(kept, tmp_path / "a.csv", [change(r) for r in records(kept)])
    assert list(map(str, report.patterns)) == [said]
    assert report.outcome == "failed"
    differences = report.differences
    assert (differences.total("altered"), report.unexplained) == (READINGS, READINGS)


@pytest.mark.parametrize(
    ("change", "tolerance_s", "passes"),
    [
        (moved(seconds), 0.249, False),
        (moved(seconds), 0.25, True),
        (moved(seconds, *BOTH), 1.0, True),
        (moved(seconds, *BOTH), 0.25, False),  # connections began at other parts of a second
        (moved(later(seconds=5)), 4.999, False),
        (moved(later(seconds=5)), 5.0, True),
    ],
)
def test_the_tolerance_permits_what_is_within_it(
    kept: Kept, tmp_path: Path, change: Change, tolerance_s: float, passes: bool
) -> None:
    rows = [change(r) for r in records(kept)]
    report = judge(kept, tmp_path / "a.csv", rows, time_tolerance_s=tolerance_s)
    assert report.passed is passes


@pytest.mark.parametrize(
    ("move", "tolerance_s"),
    [
        (seconds, 0.3),
        (seconds, 10.0),
        (later(seconds=2), 1.0),
        (later(milliseconds=3), 0.3),
        (later(milliseconds=3), 10.0),
    ],
)
def test_a_tolerance_hides_neither_a_loss_nor_a_repetition(
    kept: Kept, tmp_path: Path, move: Callable[[datetime], datetime], tolerance_s: float
) -> None:
    rows = [moved(move)(r) for r in records(kept)]
    for place in (0, 100, 239):
        neighbour = min(place + 6, 233)
        for these in (
            rows[:place] + rows[place + 1 :],
            [*rows, rows[place]],
            [*(r for n, r in enumerate(rows) if n != place), rows[neighbour]],
        ):
            report = judge(
                kept, tmp_path / "a.csv", these, time_tolerance_s=tolerance_s, unordered=True
            )
            found = report.differences
            lost = found.causes["missing"]["unexplained"] + (len(these) == 241)
            assert not report.passed
            assert lost == 1, (place, list(report.lines()))
            assert found.total("duplicate") == (len(these) != 239)


def test_small_differences_of_each_time_are_within_a_tolerance(kept: Kept, tmp_path: Path) -> None:
    steps = (timedelta(milliseconds=n) for n in [0, 1, -1, 2, 0] * 48)
    rows = [moved(later())(r) for r in records(kept)]
    for row, step in zip(rows, steps, strict=True):
        row["timestamp"] = (datetime.fromisoformat(row["timestamp"]) + step).isoformat()
    assert not judge(kept, tmp_path / "a.csv", rows).passed
    assert not judge(kept, tmp_path / "a.csv", rows, time_tolerance_s=0.001).passed
    assert judge(kept, tmp_path / "a.csv", rows, time_tolerance_s=0.002).passed
    short = judge(kept, tmp_path / "a.csv", rows[1:], time_tolerance_s=0.002)
    assert short.differences.causes["missing"] == {"unexplained": 1}


def test_a_local_time_is_read_in_its_zone(kept: Kept, tmp_path: Path) -> None:
    rows = [moved(berlin, *BOTH)(r) for r in records(kept)]
    read = judge(kept, tmp_path / "a.csv", rows, assume_zone="Europe/Berlin")
    assert read.passed
    assert read.notes == ["times without an offset are read as local times of Europe/Berlin"]
    assert not judge(kept, tmp_path / "a.csv", rows, assume_zone="Europe/London").passed
    with pytest.raises(UsageError, match=r"'Europe/Berlino' is not .*; did you mean 'Europe/Berli"):
        judge(kept, tmp_path / "a.csv", rows, assume_zone="Europe/Berlino")


def test_the_repeated_hour_in_autumn_is_read_twice(autumn: Kept, tmp_path: Path) -> None:
    rows = [moved(berlin, *BOTH)(r) for r in records(autumn)]
    times = [row["timestamp"] for row in rows]
    assert times[0] == "2026-10-25 02:00:00.000"
    assert times.count("2026-10-25 02:00:00.000") == 12  # six devices, two passes
    assert judge(autumn, tmp_path / "a.csv", rows, assume_zone="Europe/Berlin").passed
    for place in (0, 3, 71, 72, 143):
        left = [row for n, row in enumerate(rows) if n != place]
        report = judge(autumn, tmp_path / "a.csv", left, assume_zone="Europe/Berlin")
        assert (report.unexplained, report.differences.total("missing")) == (1, 1)


def test_a_time_that_the_clock_skips_cannot_be_read(kept: Kept, tmp_path: Path) -> None:
    rows = [moved(berlin, *BOTH)(r) for r in records(kept)]
    rows[7]["timestamp"] = "2026-03-29 02:30:00"
    report = judge(kept, tmp_path / "a.csv", rows, assume_zone="Europe/Berlin")
    assert [one.field for one in report.unreadable_fields] == ["timestamp"]


def test_a_shift_of_one_project_is_found(kept: Kept, tmp_path: Path) -> None:
    late = moved(later(hours=1))
    rows = [late(r) if r["project_id"] == "HOME_2" else r for r in records(kept)]
    report = judge(kept, tmp_path / "a.csv", rows)
    [pattern] = report.patterns
    assert (pattern.readings, pattern.of, report.unexplained) == (80, 240, 80)
    assert "are 1 h late" in pattern.text


def test_a_shift_by_one_tick_is_not_taken_for_changed_values(kept: Kept, tmp_path: Path) -> None:
    rows = [moved(later(seconds=1))(r) for r in records(kept)]
    report = judge(kept, tmp_path / "a.csv", rows)
    assert [(one.readings, one.text.split(" (")[0]) for one in report.patterns] == [
        (240, "are 1 s late")
    ]


def test_times_that_are_far_from_the_run_are_shown(kept: Kept, tmp_path: Path) -> None:
    """A number of days, as in a spreadsheet, is read as seconds."""
    rows = [record | {"timestamp": 46_217 + n / 86_400} for n, record in enumerate(records(kept))]
    report = judge(kept, tmp_path / "a.csv", rows)
    [said] = map(str, report.patterns)
    assert said.startswith(
        "timestamp: all 240 are read as 1970-01-01T12:50:17.000Z to 1970-01-01T12:50:17.003Z, "
        "far from the run's start, "
        "2026-07-01T12:00:00.250Z: numbers are seconds, ms, us or ns since 1970"
    )
    assert report.outcome == "failed"


def test_few_differences_are_no_pattern(kept: Kept, tmp_path: Path) -> None:
    rows = records(kept)
    for row in rows[:2]:
        row["timestamp"] = "2026-07-01T18:00:00Z"
    report = judge(kept, tmp_path / "a.csv", rows)
    assert not report.patterns
    assert report.differences.total("missing") == report.differences.total("unknown") == 2
