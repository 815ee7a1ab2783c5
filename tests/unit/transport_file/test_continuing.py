"""Files that hold readings already: they are continued, replaced or refused."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from gridsim.api import TransportError
from gridsim.testing import (
    RecordingReceipt,
    make_batch,
)
from tests.unit.transport_file.files import WithHeader, lines_of, made, read, write


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    yield said
    logger.remove(sink)


# What is there already


def test_a_torn_line_is_cut_off(tmp_path: Path, warnings: list[str]) -> None:
    path = tmp_path / "x.jsonl"
    # Longer than the block in which the end of the last line is searched.
    path.write_bytes(b"whole\n" + b"t" * 1_000_000)
    batch = make_batch()
    write(made(path), batch)
    assert read(path) == [b"whole", *lines_of(batch)]
    assert warnings == [f"{path}: cut off 1000000 bytes of an incomplete line"]


def test_a_gzip_file_that_was_cut_anywhere_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    batch = make_batch(ticks=3)
    first, second, third = (batch.rows(3 * tick, 3 * tick + 3) for tick in range(3))
    write(made(path, gzip=True), first)
    start = path.stat().st_size
    write(made(path, gzip=True), second)
    whole = path.read_bytes()
    assert len(whole) > start
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        write(made(path, gzip=True), third)
        kept = lines_of(first) if length >= start else []
        assert read(path) == kept + lines_of(third)


def test_what_is_no_gzip_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_text("a letter")
    with pytest.raises(TransportError, match="not a gzip file"):
        write(made(path, gzip=True), make_batch())
    assert path.read_text() == "a letter"


@pytest.mark.parametrize(
    "found",
    [
        b"a note without an end",
        b'{"whole": 1}',
        b'[{"whole": 1}]',
        b'{\n "pretty": 1\n}',
        b'{"whole": 1}\n{"last": 2}',
        b"SQLite format 3\0" + b"\0\n" * 40 + b"page",
        b"der_id,time\n" + b"\0" * 9,
    ],
)
def test_a_file_that_is_not_of_a_killed_run_is_left_alone(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(found)
    with pytest.raises(TransportError, match="it would be cut off; choose another path") as caught:
        write(made(path), make_batch())
    assert caught.value.permanent
    assert path.read_bytes() == found


@pytest.mark.parametrize(
    "found", [b"{", b'{"der_id":"D', b'{"a":1}\n{"a', b"line\nlin", b"PRJ_1 {"]
)
def test_the_line_of_a_killed_run_is_cut_off(tmp_path: Path, found: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"PRJ_0 {}\n" * found.startswith(b"PRJ") + found)
    whole = path.read_bytes().rpartition(b"\n")[0]
    batch = make_batch()
    write(made(path), batch)
    assert read(path) == [*whole.splitlines(), *lines_of(batch)]


@pytest.mark.parametrize("packed", [False, True])
def test_the_header_is_only_at_the_start(tmp_path: Path, packed: bool) -> None:
    batch = make_batch()
    for _ in range(2):
        write(made(tmp_path / "x.gz", header=True, gzip=packed), batch, batch)
    data = (tmp_path / "x.gz").read_bytes()
    lines = (gzip.decompress(data) if packed else data).splitlines()
    assert lines == [WithHeader.header, *lines_of(batch) * 4]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_with_another_header_is_not_continued(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "x.gz"
    write(made(path, gzip=packed), make_batch())
    before = path.read_bytes()
    with pytest.raises(TransportError, match="begins with another header"):
        write(made(path, header=True, gzip=packed), make_batch())
    assert path.read_bytes() == before


def test_a_deleted_file_is_made_again_and_the_loss_is_logged(
    tmp_path: Path, warnings: list[str]
) -> None:
    path = tmp_path / "x"
    batch = make_batch(ticks=2)
    file = made(path)
    file.connect()
    file.write(batch.rows(0, 3), RecordingReceipt(3))
    lost = path.stat().st_size
    assert warnings == []
    path.unlink()
    file.write(batch.rows(3), RecordingReceipt(3))
    assert len(warnings) == 1
    assert f"{path}: the file was deleted while the run wrote it; {lost:,} bytes" in warnings[0]
    assert read(path) == lines_of(batch)[3:]
    more = path.stat().st_size
    path.unlink()
    with pytest.raises(TransportError, match=f"{lost + more:,} bytes that count as del") as caught:
        file.close()
    assert caught.value.permanent
    assert len(warnings) == 2, "a file that is deleted after the last reading is noticed at the end"


def test_after_a_rotation_by_another_program_a_new_file_is_written(
    tmp_path: Path, warnings: list[str]
) -> None:
    path, moved, other = tmp_path / "x", tmp_path / "x.1", tmp_path / "x.2"
    batch = make_batch(ticks=3)
    file = made(path)
    file.connect()
    file.write(batch.rows(0, 3), RecordingReceipt(3))
    path.rename(moved)
    file.write(batch.rows(3, 6), RecordingReceipt(3))
    # As logrotate does with `create`; what was moved may be deleted after that.
    path.rename(other)
    path.touch()
    moved.unlink()
    file.write(batch.rows(6), RecordingReceipt(3))
    file.close()
    lines = lines_of(batch)
    assert (read(other), read(path), warnings) == (lines[3:6], lines[6:], [])
