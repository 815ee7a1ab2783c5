"""Recordings that are damaged, and those that a playback would change."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.errors import UsageError
from gridsim.play import PlayOptions, make_play_plan
from gridsim.play.survey import RecordingSurvey


def surveyed(path: Path, output: str = "played", format: str = "csv") -> RecordingSurvey:
    config = path.parent / "to.toml"
    config.write_text(f'[[transports]]\ntype = "file"\npath = "{output}"\nformat = "{format}"\n')
    played = make_play_plan(PlayOptions(str(path), config=config))
    played.plan.close()
    return played.survey


@pytest.mark.parametrize(
    "content", [b"\x8f\r\x00\n\x01", b"der_id,timestamp\r,b\n", b"a," * 70_000]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"recording: error: (is neither JSON|there is no column)"):
        surveyed(path)


@pytest.mark.parametrize("cell", ["\rP", "P" * 140_000])
def test_a_row_that_is_not_csv_is_left_out(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "recording.csv"
    row = "A,2026-07-01T12:00:0{}Z,{}"
    rows = ["der_id,timestamp,project_id", row.format(0, "P"), row.format(1, cell)]
    path.write_bytes("\n".join([*rows, row.format(2, "P")]).encode())
    survey = surveyed(path)
    assert (survey.readings, survey.unreadable) == (2, 1)
    assert survey.first_unreadable.startswith("line 3: is not a row of CSV: ")


@pytest.mark.parametrize("output", ["recording.jsonl", "./link"])
def test_a_recording_is_not_played_into_itself(tmp_path: Path, output: str) -> None:
    path = tmp_path / "recording.jsonl"
    path.write_text('{"der_id": "A", "timestamp": 1782907200, "project_id": "P"}\n')
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(UsageError, match=r"'path': .*recording.jsonl is the recording; write to"):
        surveyed(path, output, "json")
    assert surveyed(path, "another.jsonl", "json").readings == 1
