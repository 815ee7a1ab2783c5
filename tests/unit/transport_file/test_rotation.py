"""Files that end at a size or a time, and a disk that is full."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridsim.testing import (
    START_MS,
    make_batch,
    make_roster,
)
from tests.unit.transport_file.files import WithHeader, lines_of, made, read, write

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
