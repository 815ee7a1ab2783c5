"""The file of a reading, and files that are refused."""

from __future__ import annotations

import gzip
import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from gridsim.api import Framing, RunPeriod, Transport, TransportError
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.transports.file import File, FileTransportSettings
from tests.unit.transport_file.files import lines_of, made, read, write


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


NOT_REGULAR = "is a device, a pipe or a socket, not a regular file"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".", "is a folder, not a file"),
        ("folder", "is a folder, not a file"),
        ("pipe", NOT_REGULAR),
        ("loop", "cannot be used: Too many levels of symbolic links"),
        ("/dev/null", NOT_REGULAR),
        ("/dev/full", NOT_REGULAR),
    ],
)
def test_what_is_no_file_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, reason: str
) -> None:
    if path.startswith("/") and not os.path.exists(path):
        pytest.skip(f"needs {path}")
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    # Before the run, and when it connects.
    assert problem(path) == f"{path} {reason}"
    with pytest.raises(TransportError, match=f"^{re.escape(path)}: {reason}$"):
        made(Path(path)).connect()


def problem(path: str, start_ms: int | None = 0) -> str:
    """The problem of a path that is found before a run from `start_ms`; empty without one."""
    period = None if start_ms is None else RunPeriod(start_ms, None, "UTC")
    return dict(File.Settings(path=path).file_problems(period)).get("path", "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("1970-01-01", "1970-01-01 is a folder, not a file"),
        ("{date}", "1970-01-01 is a folder, not a file"),
        ("{date}/x", ""),
        ("{date}/inside", ""),
        ("out/{start}.pipe", f"out/19700101T000000Z.pipe {NOT_REGULAR}"),
        ("out/{start}{der_id}.pipe", ""),
        ("taken/x", "taken/x cannot be written: taken is not a folder"),
        ("taken/{der_id}", "taken/ cannot be written: taken is not a folder"),
        ("away", "away leads out of the folder ."),
        ("out/away/x", ""),
        ("out/{date}/../away/x", "out/1970-01-01/../away/x leads out of the folder out"),
        ("inside", ""),
        ("1970-01-01/", "1970-01-01/ is a folder, not a file"),
        ("a\0b", ""),
        ("{nonsense}", ""),
    ],
)
def test_the_files_of_the_first_day_are_checked_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    folder = tmp_path / "here"
    (folder / "out" / "1970-01-01").mkdir(parents=True)
    monkeypatch.chdir(folder)
    Path("1970-01-01").mkdir()
    Path("1970-01-01/inside").symlink_to("x")
    os.mkfifo("out/19700101T000000Z.pipe")
    Path("taken").write_text("a file where a folder should be")
    Path("away").symlink_to(tmp_path / "elsewhere")
    Path("out/away").symlink_to(tmp_path)
    Path("inside").symlink_to("not-yet")
    assert problem(path) == expected
    if "{" in path and expected:
        # The start of the run is not known: nothing is said of its files.
        assert problem(path, None) == ("" if "taken" not in path else expected)
