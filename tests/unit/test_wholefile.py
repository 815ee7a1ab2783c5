"""A file is written as a whole, or stays as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gridsim.wholefile import whole_file


def test_a_file_stays_as_it_was_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "page.svg"
    path.write_text("old")

    def fail(new: Path) -> None:
        new.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"), whole_file(path) as new:
        fail(new)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.svg"]


def test_a_new_file_is_there_only_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.svg"
    with whole_file(path) as new:
        assert new.suffix == ".svg"
        new.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444 & ~os.umask(os.umask(0o022))


def test_mode_and_link_of_an_older_file_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch(0o600)
    link.symlink_to(target)
    with whole_file(link) as new:
        new.write_text("whole")
    assert link.is_symlink()
    assert target.read_text() == "whole"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_device_is_written_directly() -> None:
    with whole_file(Path("/dev/null")) as new:
        assert new == Path("/dev/null")
