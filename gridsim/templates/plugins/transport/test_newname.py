"""The contract tests of gridsim, with a real file."""

from __future__ import annotations

from pathlib import Path

import pytest
from gridsim.api import Settings, TransportError
from gridsim.testing import PlainFormat, TransportContract, make_roster, make_run

from .newname import NewName


class TestNewName(TransportContract):
    transport = NewName

    def target(self, tmp_path: Path) -> dict[str, str]:
        return {"path": str(tmp_path / "out.txt")}

    def received(self, tmp_path: Path) -> list[bytes]:
        return (tmp_path / "out.txt").read_bytes().splitlines()


def test_a_folder_that_is_missing_can_be_there_later(tmp_path: Path) -> None:
    roster = make_roster()
    settings = NewName.Settings.model_validate({"path": str(tmp_path / "no" / "out.txt")})
    made = NewName(settings, PlainFormat(Settings(), "der", roster), make_run(roster))
    with pytest.raises(TransportError, match="No such file or directory"):
        made.connect()
    (tmp_path / "no").mkdir()
    made.connect()
    made.close()
