"""The contract tests of gridsim, with a real folder."""

from __future__ import annotations

from pathlib import Path

from gridsim.api import Target
from gridsim.testing import SourceContract

from .newname import NewName


class TestNewName(SourceContract):
    source = NewName
    brought = 0

    def way(self, tmp_path: Path) -> dict[str, str]:
        return {"folder": str(tmp_path)}

    def bring(self, tmp_path: Path, target: Target, payload: bytes) -> None:
        self.brought += 1
        text = str(target).encode() + b"\n" + payload
        (tmp_path / f"{self.brought:04}.command").write_bytes(text)

    def answers(self, tmp_path: Path, count: int) -> list[bytes]:
        return (tmp_path / "answers.jsonl").read_bytes().splitlines()
