from __future__ import annotations

import gzip
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from loguru import logger

from gridsim.api import Batch, Framing, Roster, Transport, TransportError
from gridsim.testing import (
    START_MS,
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.transports.file import File, FileTransportSettings


class TestContract(TransportContract):
    transport: ClassVar[type[Transport]] = File

    def target(self, tmp_path: Path) -> dict[str, object]:
        return {"path": str(tmp_path / "new" / "{date}.jsonl")}

    def received(self, tmp_path: Path) -> list[bytes]:
        return (tmp_path / "new" / "2026-07-01.jsonl").read_bytes().splitlines()


class TestContractWithGzip(TransportContract):
    transport: ClassVar[type[Transport]] = File

    def target(self, tmp_path: Path) -> dict[str, object]:
        return {"path": str(tmp_path / "{start}.jsonl"), "gzip": True}

    def received(self, tmp_path: Path) -> list[bytes]:
        return gzip.decompress((tmp_path / "20260701T120000Z.jsonl.gz").read_bytes()).splitlines()


class WithHeader(PlainFormat):
    header = b"# who and when"


def made(
    path: Path,
    roster: Roster | None = None,
    *,
    framing: Framing = "der",
    header: bool = False,
    **settings: Any,
) -> File:
    roster = roster if roster is not None else make_roster()
    chosen = FileTransportSettings(path=str(path), **settings)
    plain = (WithHeader if header else PlainFormat)(chosen, framing, roster)
    return File(chosen, plain, make_run(roster))


def write(file: File, *batches: Batch) -> None:
    file.connect()
    for batch in batches:
        file.write(batch, RecordingReceipt(len(batch)))
    file.close()


def lines_of(batch: Batch) -> list[bytes]:
    return list(
        PlainFormat(FileTransportSettings(path="x"), "der", batch.roster).encode(batch).bodies
    )


def read(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    yield said
    logger.remove(sink)


# Which file a reading goes to


def test_placeholders_say_where_a_reading_goes(tmp_path: Path) -> None:
    roster = make_roster([2, 1])
    batch = make_batch(roster, ticks=3)
    write(made(tmp_path / "{project_id}" / "{type}" / "{der_id}.jsonl", roster), batch)
    files = {
        path.relative_to(tmp_path).as_posix(): read(path) for path in tmp_path.rglob("*.jsonl")
    }
    assert files == {
        f"PRJ_{project}/{kind}/DER_{der}.jsonl": lines_of(batch)[der::3]
        for project, kind, der in [
            (0, "battery_storage", 0),
            (0, "battery_storage", 1),
            (1, "solar", 2),
        ]
    }


def test_a_late_reading_goes_to_its_own_date(tmp_path: Path) -> None:
    batch = make_batch(ticks=2)
    day_ms = 86_400_000
    late = replace(batch, timestamp_ms=batch.timestamp_ms - np.array([1, 1, 1, 0, 0, 0]) * day_ms)
    write(made(tmp_path / "{date}.jsonl"), late)
    assert read(tmp_path / "2026-06-30.jsonl") == lines_of(late)[:3]
    assert read(tmp_path / "2026-07-01.jsonl") == lines_of(late)[3:]


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    roster = make_roster([1] * 150)
    batch = make_batch(roster, ticks=3)
    file = made(tmp_path / "{der_id}.jsonl.gz", roster, gzip=True)
    before = len(os.listdir("/dev/fd"))
    file.connect()
    for tick in range(3):
        file.write(batch.rows(tick * 150, (tick + 1) * 150), RecordingReceipt(150))
    assert len(os.listdir("/dev/fd")) - before <= 64
    file.close()
    assert len(os.listdir("/dev/fd")) == before
    lines = lines_of(batch)
    for der in range(150):
        assert read(tmp_path / f"DER_{der}.jsonl.gz") == lines[der::150]


@pytest.mark.parametrize(
    ("path", "framing", "message"),
    [
        ("{dat}.jsonl", "der", r"no placeholder \{dat\}; did you mean \{date\}"),
        ("{date:%Y}.jsonl", "der", r"\{date\} takes no format"),
        ("{date.jsonl", "der", "path: expected '}'"),
        ("out/", "der", "names a folder"),
        ("", "der", "names a folder"),
        ("{der_id}.jsonl", "project", "cannot be used with framing 'project'"),
    ],
)
def test_a_template_that_cannot_be_is_refused(path: str, framing: Framing, message: str) -> None:
    settings = FileTransportSettings(path=path)
    plain = PlainFormat(settings, framing, make_roster())
    with pytest.raises(ValueError, match=message):
        File(settings, plain, make_run())


@pytest.mark.parametrize("der_id", ["..", ".", "", "a/b", "/etc/passwd", "..\\x", "a\0b"])
def test_an_id_that_would_lead_elsewhere_is_refused(tmp_path: Path, der_id: str) -> None:
    roster = replace(make_roster([1]), der_id=[der_id])
    with pytest.raises(ValueError, match="cannot be part of a file name"):
        made(tmp_path / "{der_id}" / "x", roster)


@pytest.mark.parametrize("link", ["PRJ_0", "PRJ_0/DER_0"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "out" / link).parent.mkdir(parents=True)
    (tmp_path / "out" / link).symlink_to(outside)
    outside.mkdir() if link == "PRJ_0" else outside.write_text("kept\n")
    roster = make_roster([1])
    file = made(tmp_path / "out" / "{project_id}" / "{der_id}", roster)
    file.connect()
    with pytest.raises(TransportError, match="leads out of the folder") as caught:
        file.write(make_batch(roster), RecordingReceipt(1))
    assert caught.value.permanent
    assert list(outside.iterdir()) == [] if outside.is_dir() else outside.read_text() == "kept\n"


def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write(made(tmp_path / "x"), make_batch())
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["taken/x", "folder", "pipe"])
def test_what_cannot_be_written_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TransportError, match=f"{tmp_path}/{path.split('/')[0]}.*: .+") as caught:
        write(made(tmp_path / path), make_batch())
    assert caught.value.permanent


def test_after_the_first_lines_no_error_is_permanent(tmp_path: Path) -> None:
    folder, aside = tmp_path / "out", tmp_path / "aside"
    file = made(folder / "{der_id}", roster := make_roster([1, 1]))
    batch = make_batch(roster)
    write(file, batch.rows(0, 1))
    folder.rename(aside)
    folder.write_text("a file where the folder was")
    for fails in (file.connect, lambda: file.write(batch.rows(1), RecordingReceipt(1))):
        with pytest.raises(TransportError, match=f"{folder}.*: .+") as caught:
            fails()
        assert not caught.value.permanent
        file.close()
    folder.unlink()
    aside.rename(folder)
    write(file, batch.rows(1))
    assert sorted(path.name for path in folder.iterdir()) == ["DER_0", "DER_1"]


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
    path.unlink()
    file.close()
    assert len(warnings) == 2, "a file that is deleted after the last reading is noticed at the end"


# Rotation


def rotated(tmp_path: Path) -> list[list[bytes]]:
    """The files' lines, oldest file first."""
    paths = sorted(tmp_path.glob("x.*.jsonl*"))
    numbers = [path.name.split(".")[1] for path in paths]
    assert numbers == [f"{n:04}" for n in range(1, len(paths) + 1)]
    return [read(path) for path in [*paths, *tmp_path.glob("x.jsonl*")]]


def test_a_file_never_grows_beyond_its_size(tmp_path: Path) -> None:
    batch = make_batch(ticks=100)
    file = made(tmp_path / "x.jsonl", header=True, rotate_mb=0.001)
    write(file, batch.rows(0, 250))
    write(file, batch.rows(250))
    files = rotated(tmp_path)
    assert all(lines[0] == WithHeader.header for lines in files)
    assert [line for lines in files for line in lines[1:]] == lines_of(batch)
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    # Full to within a line, all but the last.
    assert all(len(b"\n".join(lines)) > 979 for lines in files[:-1])


def test_a_gzip_file_exceeds_its_size_by_no_more_than_a_member(tmp_path: Path) -> None:
    batch = make_batch(ticks=200)
    file = made(tmp_path / "x.jsonl", gzip=True, rotate_mb=0.001)
    write(file, *(batch.rows(3 * tick, 3 * tick + 3) for tick in range(200)))
    files = rotated(tmp_path)
    assert len(files) > 5
    assert [line for lines in files for line in lines] == lines_of(batch)
    assert all(path.stat().st_size < 1100 for path in tmp_path.iterdir())


def test_a_payload_larger_than_the_size_has_a_file_to_itself(tmp_path: Path) -> None:
    batch = make_batch(ticks=3)
    write(made(tmp_path / "x.jsonl", rotate_mb=0.000_001), batch)
    assert rotated(tmp_path) == [[line] for line in lines_of(batch)]


def test_a_file_holds_a_period_of_simulated_time(tmp_path: Path) -> None:
    batch = make_batch(ticks=5)
    lines = lines_of(batch)
    file = made(tmp_path / "x.jsonl", rotate_s=2)
    # A lost connection begins no new file, a reading that comes late no old one.
    write(file, batch.rows(0, 3))
    write(file, batch.rows(3))
    late = batch.rows(0, 1)
    write(file, late)
    assert rotated(tmp_path) == [lines[:6], lines[6:12], lines[12:] + lines[:1]]
    again = made(tmp_path / "x.jsonl", rotate_s=2)
    write(again, batch)
    assert rotated(tmp_path)[2:] == [lines[12:] + lines[:1], lines[:6], lines[6:12], lines[12:]]


def test_readings_of_a_batch_keep_their_order_whatever_their_time(tmp_path: Path) -> None:
    batch = make_batch(ticks=5)
    mixed = replace(batch, timestamp_ms=batch.timestamp_ms[::-1])
    write(made(tmp_path / "x.jsonl", rotate_s=2), mixed)
    assert rotated(tmp_path) == [lines_of(mixed)]


# Full disks


# Files of 400 bytes get 390 bytes at first, then 399: the limit lets one be put aside.
@pytest.mark.parametrize(
    ("settings", "limit"), [({}, 1000), ({"gzip": True}, 1000), ({"rotate_mb": 0.0004}, 395)]
)
def test_a_write_that_fails_half_way_leaves_nothing_behind(
    tmp_path: Path, settings: dict[str, Any], limit: int
) -> None:
    """A small file gets its rows, the large one meets the limit: both go back, and lose nothing."""
    pytest.importorskip("resource")
    program = f"""
import resource, sys
from pathlib import Path
from gridsim.api import TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.transports.file import File, FileTransportSettings

roster = make_roster([1, 2000])
folder = Path(sys.argv[1])
chosen = FileTransportSettings(path=str(folder / "x.{{project_id}}.jsonl"), **{settings!r})
file = File(chosen, PlainFormat(chosen, "der", roster), make_run(roster))
batch = make_batch(roster, ticks=2)

def write(part):
    receipt = RecordingReceipt(len(part))
    file.connect()
    try:
        file.write(part, receipt)
    except TransportError as error:
        print(error, receipt.left, file=sys.stderr)
    file.close()

write(batch.rows(0, 2))
before = [path.read_bytes() for path in folder.iterdir()]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, hard))
write(batch.rows(2))
after = [path.read_bytes() for path in folder.iterdir()]
assert sorted(filter(None, after)) == sorted(before), after
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
write(batch.rows(2))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=30
    )
    assert (
        run.stderr
        == f"{tmp_path}/x.PRJ_1.jsonl{'.gz' * ('gzip' in settings)}: File too large 4000\n"
    )
    assert run.returncode == 0
    roster = make_roster([1, 2000])
    lines = lines_of(make_batch(roster, ticks=2))
    found = [line for path in sorted(tmp_path.glob("*PRJ_0*")) for line in read(path)]
    assert found == lines[::2001]
    found = [line for path in sorted(tmp_path.glob("*PRJ_1*")) for line in read(path)]
    assert sorted(found) == sorted(line for n, line in enumerate(lines) if n % 2001)


def test_the_hint_names_the_file_of_the_day(tmp_path: Path) -> None:
    assert START_MS == 1_782_907_200_000
    assert made(tmp_path / "{date}.jsonl").hint() == f"tail -F {tmp_path}/2026-07-01.jsonl"
    assert json.dumps(made(Path("a b"), gzip=True).hint()) == "\"zcat 'a b.gz' | tail\""


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".", "is a folder, not a file"),
        ("folder", "is a folder, not a file"),
        ("/dev/null", "is a device or a pipe, not a regular file"),
        ("/dev/full", "is a device or a pipe, not a regular file"),
    ],
)
def test_what_is_no_file_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    if path.startswith("/") and not os.path.exists(path):
        pytest.skip(f"needs {path}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(TransportError, match=f"^{re.escape(path)}: {reason}$"):
        made(Path(path)).connect()
