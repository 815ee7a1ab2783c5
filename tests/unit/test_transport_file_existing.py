"""Files that exist when a run begins, and the mode of new ones."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from pydantic import ValidationError

from gridsim.api import Batch, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.transports.file import File, FileTransportSettings

BATCH = make_batch(make_roster([1]), ticks=2)
FIRST, SECOND = BATCH.rows(0, 1), BATCH.rows(1, 2)


def made(path: Path, **settings: Any) -> File:
    chosen = FileTransportSettings(path=str(path), **settings)
    return File(chosen, PlainFormat(chosen, "der", BATCH.roster), make_run(BATCH.roster))


def write(file: File, *batches: Batch) -> None:
    for batch in batches:
        file.connect()
        file.write(batch, RecordingReceipt(len(batch)))
        file.close()


def lines(*batches: Batch) -> list[bytes]:
    plain = PlainFormat(FileTransportSettings(path="x"), "der", BATCH.roster)
    return [body for batch in batches for body in plain.encode(batch).bodies]


@pytest.fixture
def infos() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="INFO")
    yield said
    logger.remove(sink)


def test_a_run_appends_by_default_and_says_so(tmp_path: Path, infos: list[str]) -> None:
    path = tmp_path / "x.jsonl"
    write(made(path), FIRST)
    assert infos == []
    write(made(path), SECOND)
    assert path.read_bytes().splitlines() == lines(FIRST, SECOND)
    assert infos == [
        f"{path}: the file exists with {len(lines(FIRST)[0]) + 1} bytes, and this run appends to "
        "it; on_existing = 'replace' starts a new one"
    ]


def test_an_empty_file_and_one_of_this_run_are_not_worth_a_word(
    tmp_path: Path, infos: list[str]
) -> None:
    path = tmp_path / "x.jsonl"
    path.touch()
    write(made(path), FIRST, SECOND)
    assert infos == []


@pytest.mark.parametrize("packed", [False, True])
def test_replace_keeps_what_this_run_wrote_only(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("x.jsonl.gz" if packed else "x.jsonl")
    write(made(path, gzip=packed), SECOND, SECOND)
    # Two connections: the second belongs to the same run.
    write(made(path, gzip=packed, on_existing="replace"), FIRST, SECOND)
    data = path.read_bytes()
    assert (gzip.decompress(data) if packed else data).splitlines() == lines(FIRST, SECOND)


def test_replace_removes_the_numbered_files_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(made(path, rotate_mb=1e-6), FIRST, SECOND)
    other = tmp_path / "x.1.jsonl"
    other.write_text("not numbered by gridsim")
    assert sorted(os.listdir(tmp_path)) == ["x.0001.jsonl", "x.1.jsonl", "x.jsonl"]
    write(made(path, on_existing="replace"), FIRST)
    assert sorted(os.listdir(tmp_path)) == ["x.1.jsonl", "x.jsonl"]
    assert path.read_bytes().splitlines() == lines(FIRST)


def test_replace_does_not_touch_a_file_to_which_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("old\n")
    file = made(path, on_existing="replace")
    file.connect()
    file.close()
    assert path.read_text() == "old\n"


@pytest.mark.parametrize("name", ["x.jsonl", "x.0001.jsonl"])
def test_fail_refuses_a_file_that_exists_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old\n")
    with pytest.raises(TransportError, match=r"x\.jsonl: the file exists already") as caught:
        made(tmp_path / "x.jsonl", on_existing="fail").connect()
    assert caught.value.permanent
    assert (tmp_path / name).read_text() == "old\n"


def test_fail_refuses_the_file_of_a_later_day_when_it_begins(tmp_path: Path) -> None:
    file = made(tmp_path / "{date}.jsonl", on_existing="fail")
    file.connect()
    (tmp_path / "2026-07-01.jsonl").write_text("old\n")
    with pytest.raises(TransportError, match="the file exists already"):
        file.write(FIRST, RecordingReceipt(1))
    assert (tmp_path / "2026-07-01.jsonl").read_text() == "old\n"


def test_fail_lets_a_run_continue_its_own_files(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    write(made(path, on_existing="fail", rotate_mb=1e-6), FIRST, SECOND)
    assert sorted(os.listdir(tmp_path)) == ["x.0001.jsonl", "x.jsonl"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
@pytest.mark.parametrize(
    ("given", "mode"), [({}, 0o600), ({"mode": "0640"}, 0o640), ({"mode": "666"}, 0o666)]
)
def test_new_files_have_exactly_the_mode(tmp_path: Path, given: dict[str, str], mode: int) -> None:
    path = tmp_path / "x.jsonl"
    before = os.umask(0o077)
    try:
        write(made(path, **given), FIRST)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_file_that_is_appended_to_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.touch()
    path.chmod(0o644)
    write(made(path), FIRST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write(made(path, on_existing="replace", mode="0640"), FIRST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o640, "must be a string of three octal digits"),
        ("0o640", "must be a string of three octal digits"),
        ("rw-r--r--", "must be a string of three octal digits"),
        ("1777", "must be a string of three octal digits"),
        ("688", "must be a string of three octal digits"),
        ("0440", "must let the owner read and write"),
        ("0200", "must let the owner read and write"),
    ],
)
def test_modes_that_cannot_be_used(mode: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FileTransportSettings.model_validate({"path": "x", "mode": mode})
