"""The playback of exports and ledgers, as bytes that a transport writes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch
from gridsim.contracts.batch import join
from gridsim.errors import UsageError
from gridsim.play import PlayOptions, make_play_plan
from gridsim.play.plan import PlayPlan, course_lines
from gridsim.play.playback import Playback
from gridsim.play.survey import RecordingSurvey
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.running.verdict import judge

START_MS = 1_782_907_200_000
CONFIG = """
[simulation]
tick_s = 60.0
duration_s = 600
speed = 0
start = "2026-07-01T12:00:00Z"
[weather]
type = "clear"
[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 2.0
load = { type = "constant", kw = 2.5 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 6.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[faults]]
type = "delay"
ders = ["HOME_1_PV"]
delay_s = 120
after_s = 120
duration_s = 180
[[transports]]
type = "file"
path = "out.jsonl"
[[transports]]
type = "file"
path = "out.csv"
format = "csv"
[[transports]]
type = "file"
path = "projects.jsonl"
framing = "project"
[ledger]
path = "run.sqlite"
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "fleet.toml").write_text(CONFIG)
    with Run(make_plan(Options(config=folder / "fleet.toml")), clock="manual") as run:
        run.advance(10)
    return folder


def planned(
    folder: Path, path: Path | str, *, format: str = "json", more: str = "", **options: Any
) -> PlayPlan:
    config = folder / "to.toml"
    text = '[[transports]]\ntype = "file"\npath = "played"\n'
    config.write_text(f'{text}on_existing = "replace"\nformat = "{format}"\n{more}')
    return make_play_plan(PlayOptions(str(path), config=config, speed=0.0, **options))


def played(folder: Path, path: Path | str, **options: Any) -> bytes:
    with Run(planned(folder, path, **options).plan) as run:
        assert run.wait(30.0)
    assert run.error is None
    assert judge(run.status()).exit_status == 0
    return (folder / "played").read_bytes()


def test_the_bytes_of_a_file_are_published_again(recorded: Path, tmp_path: Path) -> None:
    lines, table = (recorded / "out.jsonl").read_bytes(), (recorded / "out.csv").read_bytes()
    assert played(tmp_path, recorded / "out.jsonl") == lines
    assert played(tmp_path, recorded / "out.csv", format="csv") == table
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(lines))
    assert played(tmp_path, packed) == lines
    arrays = (recorded / "projects.jsonl").read_bytes()
    assert played(tmp_path, recorded / "projects.jsonl") == lines
    framed = 'framing = "project"\n'
    assert played(tmp_path, recorded / "projects.jsonl", more=framed) == arrays
    # Late readings come where they came, and are counted.
    assert planned(tmp_path, recorded / "out.jsonl").survey.late == 3
    # Each reading has its place in the roster.
    assert played(tmp_path, recorded / "out.csv") == lines
    assert played(tmp_path, recorded / "out.jsonl", format="csv") == table


def test_a_ledger_is_published_as_it_was_sent(recorded: Path, tmp_path: Path) -> None:
    lines = (recorded / "out.jsonl").read_bytes()
    assert played(tmp_path, recorded / "run.sqlite") == lines
    twice = played(tmp_path, recorded / "run.sqlite", loops=2, shift=True, now_ms=0)
    times = [json.loads(line)["timestamp"] for line in twice.splitlines()]
    assert times[0] == "1970-01-01T00:00:00.000Z"
    assert times[-1] == "1970-01-01T00:19:00.000Z"


def test_a_shift_changes_the_timestamps_only(recorded: Path, tmp_path: Path) -> None:
    now_ms = START_MS + 3_600_500
    for name, format in (("out.jsonl", "json"), ("out.csv", "csv")):
        lines = (recorded / name).read_bytes()
        expected = lines.replace(b"T12:", b"T13:")
        options: dict[str, Any] = {"format": format, "shift": True, "now_ms": now_ms}
        assert played(tmp_path, recorded / name, **options) == expected
        header = lines.index(b"\n") + 1 if format == "csv" else 0
        more = expected + expected[header:].replace(b"T13:0", b"T13:1")
        assert played(tmp_path, recorded / name, loops=2, **options) == more
        # With original times a loop repeats them.
        assert played(tmp_path, recorded / name, format=format, loops=3) == (
            lines + 2 * lines[header:]
        )


def test_it_is_played_at_its_pace(recorded: Path, tmp_path: Path) -> None:
    made = planned(tmp_path, recorded / "out.jsonl", loops=2)
    assert (made.course.tick_ms, made.plan.ticks) == (60_000, 20)
    with Run(made.plan, clock="manual") as run:
        run.advance(1)
        assert run.status().readings == 4
        run.advance(9)
        assert run.status().readings == 40
        run.advance(1)
        assert run.status().readings == 44
        assert run.status().time_ms == START_MS + 660_000
    assert planned(tmp_path, recorded / "out.jsonl", loops=0).plan.ticks is None


def record(der: str = "A", time: object = "2026-07-01T12:00:00Z", **more: object) -> str:
    return json.dumps({"der_id": der, "timestamp": time, "project_id": "P", **more})


def written(folder: Path, *lines: str, name: str = "own.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines))
    return path


def test_a_record_of_another_system_stays_as_it_is(tmp_path: Path) -> None:
    lines = [
        record("B", 1782907200, x=[1, {"timestamp": "2026-07-01T12:00:00Z"}], y="\u00fc"),
        record("A", "2026-07-01T12:00:10", current_output=None),
        record("A", "2026-07-01T12:00:10", current_output=None),
        '{"project_id" : "Q",  "timestamp" :"2026-07-01T12:00:05Z","der_id": "C" , "v": 1e3}',
        "",
        record("D", 1782907230123),
    ]
    path = written(tmp_path, *lines)
    kept = [line.encode() for line in lines if line]
    assert played(tmp_path, path).splitlines() == kept
    moved = played(tmp_path, path, shift=True, now_ms=START_MS + 10_000).splitlines()
    assert moved[0] == kept[0].replace(b"1782907200", b"1782907210")
    assert moved[1] == kept[1].replace(b":10", b":20")
    assert moved[3] == kept[3].replace(b":05Z", b":15Z")
    assert moved[4] == kept[4].replace(b"1782907230123", b"1782907240123")
    made = planned(tmp_path, path)
    assert made.survey.roster.der_id == ["B", "A", "D", "C"]
    assert made.survey.late == 1
    assert "played in the order of the file" in " ".join(course_lines(made, "x"))
    with pytest.raises(UsageError, match="not every record has baseline, connection_start_at"):
        planned(tmp_path, path, format="csv")


def test_a_torn_line_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = [record("A"), "not json", '{"der_id": 5}', record("A", "soon"), record("B")[:-9]]
    made = planned(tmp_path, path := written(tmp_path, *lines))
    assert (made.survey.readings, made.survey.unreadable) == (1, 4)
    assert made.survey.first_unreadable.startswith("line 2: is not a JSON record: ")
    assert played(tmp_path, path) == f"{record('A')}\n".encode()
    table = written(
        tmp_path, "der_id;timestamp;project_id", 'A;2026-07-01;"P;1"', "B;2026", name="t"
    )
    made = planned(tmp_path, table, format="csv")
    assert made.survey.first_unreadable == "line 3: has 2 fields, and the header 3"
    assert made.survey.roster.project_id == ["P;1"]
    shifted = played(tmp_path, table, format="csv", fields=(), assume_zone="America/Moncton")
    assert shifted == table.read_bytes().rpartition(b"B")[0]


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    path = written(tmp_path, '{"d": "A", "t": "2026-07-01T12:00:00Z", "p": "P", "timestamp": 5}')
    names = ("der_id=d", "timestamp=t", "project_id=p")
    options: dict[str, Any] = {"shift": True, "now_ms": START_MS + 1000, "fields": names}
    assert b'"t": "2026-07-01T12:00:01Z", "p": "P", "timestamp": 5' in played(
        tmp_path, path, **options
    )


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("", {}, "there are no readings"),
        ("\n\n", {}, "there are no readings"),
        ("nothing\nof it\n", {}, "error"),
        ('{"der_id": "A"}\n', {}, "there are no readings: line 1: has no time in 'timestamp'"),
        ("der_id,time\nA,5\n", {}, "there is no column 'timestamp'; there are: der_id, time. Name"),
        ('{"der_id": "A", "timestamp": 1782907200}', {}, "--field project_id=NAME"),
        ("PAR1", {}, "play does not read Parquet"),
        (record(), {"speed": -1.0}, "--speed: error: speed must be 0, or from"),
        (record(), {"loops": -1}, "--loop: error: must be 0 or more"),
        (record(), {"fields": ("id=d",)}, "the record has no field 'id'"),
        (record(), {"assume_zone": "Mars"}, "--assume-zone: error: 'Mars'"),
        (record(), {"transport": "pigeon"}, "pigeon"),
        (
            "\n".join(record(der, 1782907200 + t) for der in "AB" for t in range(100)),
            {},
            "is not in the order of time: ",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, text: str, options: dict[str, Any], said: str
) -> None:
    path = written(tmp_path, text)
    config = written(tmp_path, '[[transports]]\ntype = "stdout"\n', name="to.toml")
    with pytest.raises(UsageError) as error:
        make_play_plan(PlayOptions(str(path), config=config, **options))
    assert said in str(error.value)


def test_a_time_that_cannot_be_moved_is_an_error_of_the_run(tmp_path: Path) -> None:
    path = written(tmp_path, record(time="1 July 2026 12:00"), record(time="01.07.2026 12:00"))
    assert planned(tmp_path, path).survey.readings >= 1
    with Run(planned(tmp_path, path, shift=True).plan) as run:
        assert run.wait(30.0)
    assert "cannot be moved: leave out --shift" in run.status().error


def test_a_missing_file_and_standard_input_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        planned(tmp_path, tmp_path / "gone.jsonl")
    with pytest.raises(UsageError, match="standard input cannot be read twice"):
        planned(tmp_path, "-")


class Endless:
    """A recording of one reading per tick, which counts the parts that were read."""

    def __init__(self, survey: RecordingSurvey, batch: Batch) -> None:
        self.survey, self.batch = survey, batch
        self.read = 0

    def parts(self, shift_s: int) -> Iterator[tuple[Any, Batch]]:
        for tick in range(0, 10**9, len(self.batch)):
            self.read += 1
            ticks = np.arange(tick, tick + len(self.batch))
            yield self.survey.first_ms + 1000 * ticks, self.batch


class RecordedOnce(Endless):
    """A recording whose readings have one time."""

    def parts(self, shift_s: int) -> Iterator[tuple[Any, Batch]]:
        yield np.full(len(self.batch), self.survey.first_ms), self.batch


def test_a_part_is_read_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *(record("A", 1782907200 + tick) for tick in range(50)))
    made = planned(tmp_path, path)
    assert made.survey.tick_ms == 1000
    make = made.plan.simulation
    assert make is not None
    whole = [make().advance().batch, *(playback.advance().batch for playback in [make()])]
    endless = Endless(made.survey, join([*whole] * 10))
    playback = Playback(made.plan.configuration.scenario, endless, made.course)
    rows = [len(playback.advance().batch) for _ in range(210)]
    assert set(rows) == {1}
    assert endless.read == 11
    # A tick with more readings than memory should hold goes on in the next ones.
    monkeypatch.setattr("gridsim.play.playback._MOST_ROWS", 30)
    still = RecordedOnce(made.survey, endless.batch)
    playback = Playback(made.plan.configuration.scenario, still, made.course)
    assert [len(playback.advance().batch) for _ in range(3)] == [20, 0, 0]
    monkeypatch.setattr("gridsim.play.playback._MOST_ROWS", 15)
    playback = Playback(made.plan.configuration.scenario, still, made.course)
    assert [len(playback.advance().batch) for _ in range(3)] == [15, 5, 0]
