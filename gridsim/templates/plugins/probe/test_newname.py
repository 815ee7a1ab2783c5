"""The contract tests of gridsim, with a real file."""

from __future__ import annotations

from pathlib import Path

from gridsim.testing import ProbeContract, TransportContract

from .newname import NewName, NewNameProbe


class TestNewName(TransportContract):
    transport = NewName

    def target(self, tmp_path: Path) -> dict[str, str]:
        return {"path": str(tmp_path / "out.txt")}

    def received(self, tmp_path: Path) -> list[bytes]:
        return (tmp_path / "out.txt").read_bytes().splitlines()


class TestNewNameProbe(ProbeContract):
    probe = NewNameProbe
    transport = NewName

    def target(self, tmp_path: Path) -> dict[str, str]:
        return {"path": str(tmp_path / "out.txt")}
