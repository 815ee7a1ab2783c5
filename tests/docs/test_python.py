"""The program of docs/python.md works, block after block, and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/python.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_its_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    [home] = blocks("toml")
    (tmp_path / "home.toml").write_text(home)
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks("python")):
        # The week is long.
        block = block.replace('"7d"', '"2d"').replace("24 * 7", "24 * 2")
        exec(compile(block, f"block {number} of python.md", "exec"), names)
    printed = capsys.readouterr()
    assert printed.err == ""
    for text in blocks("text"):
        assert text in printed.out
    before, after, reduction = re.findall(r"^.*: +(-?[\d.]+) kWh$", printed.out, re.MULTILINE)
    assert float(reduction) == pytest.approx(float(before) - float(after), abs=0.011)
    assert float(reduction) > 5
    assert printed.out.endswith("\n10\n")


def test_it_shows_the_example() -> None:
    assert (ROOT / "examples/what_if.py").read_text() in blocks("python")
