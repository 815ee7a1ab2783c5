"""The plugins, contract tests and configuration of docs/plugins.md work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gridsim.testing

BELL = """

from bell import Bell
from gridsim.testing import ViewContract


class TestBell(ViewContract):
    view = Bell
"""
PAGE = (Path(__file__).parents[2] / "docs/plugins.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugin, tests, view = blocks("python")
    [configuration] = blocks("toml")
    (tmp_path / "mine.py").write_text(plugin)
    (tmp_path / "bell.py").write_text(view)
    (tmp_path / "test_mine.py").write_text(tests + BELL)
    (tmp_path / "mine.toml").write_text(configuration)
    return tmp_path


def python(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_its_plugins_keep_their_contracts(folder: Path) -> None:
    done = python(folder, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_mine.py")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^2\d passed", done.stdout, re.MULTILINE)


def test_its_configuration_commands_and_strikes(folder: Path) -> None:
    command = b'HOME/HOME_BAT\n{"id": "c-1", "command": "set_power", "value": 4.0}'
    (folder / "first.command").write_bytes(command)
    run = ("gridsim", "--config", "mine.toml", "--speed", 10, "--duration", "25s")
    done = python(folder, *run)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 25
    assert [n for n, line in enumerate(lines) if '"DER_ID"' in line] == [*range(15, 20)]
    read = [json.loads(line) for line in lines if '"der_id"' in line]
    reported = [one["current_output"] for one in read]
    # As it is, as a frozen sensor has it, and as it is again.
    assert reported[4] == reported[10] == 4.0
    assert {kw for kw in reported[5:10] if 0.8 <= kw <= 3.2} == set(reported[5:10])
    answer = json.loads((folder / "answers.jsonl").read_text().splitlines()[0])
    assert answer == {"id": "c-1", "status": "accepted", "reason": ""}


def test_it_names_every_contract_test() -> None:
    contracts = {name for name in gridsim.testing.__all__ if name.endswith("Contract")}
    assert {name for name in contracts if f"`{name}`" not in PAGE} == set()
