"""The help texts: groups, their width on a terminal of 80 columns, and completion in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from gridsim.cli import app
from tests.fixtures.prepared import gridsim

COMMANDS = sorted(
    info.name or getattr(info.callback, "__name__", "") for info in app.registered_commands
)


def help_of(*words: str) -> str:
    done = gridsim(*words, "--help", env={**os.environ, "COLUMNS": "80", "TERM": "dumb"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_options_and_commands_are_in_groups() -> None:
    titles = re.findall(r"^(\w.*):$", help_of(), re.MULTILINE)
    assert titles == [
        "What runs",
        "Time",
        "Checks",
        "What you see",
        "Other options",
        "First steps",
        "Configuration",
        "A run that is up",
        "The ledger of a run",
        "Your own plugins and measurements",
    ]


def test_every_command_is_listed_with_its_whole_summary() -> None:
    text = help_of()
    assert [name for name in COMMANDS if not re.search(rf"^  {name} ", text, re.MULTILINE)] == []
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_help_text_fits_80_columns_and_shows_no_python_types(name: str) -> None:
    text = help_of(name)
    assert max(map(len, text.splitlines())) <= 80
    assert re.findall(r"<\w+(?:\[\w+\])?>", text) == []


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("gridsim va", ["validate"]),
        ("gridsim --dr", ["--dry-run"]),
        ("gridsim --ui p", ["plain"]),
        ("gridsim --log-level ", ["debug", "info", "warning", "error"]),
        ("gridsim verify --tolerance", ["--tolerance-kwh", "--tolerance-s"]),
    ],
)
def test_bash_completes(
    line: str,
    completed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_GRIDSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    with pytest.raises(SystemExit):
        app(prog_name="gridsim")
    assert capsys.readouterr().out.split() == completed


def test_a_help_text_loads_nothing_heavy() -> None:
    code = (
        "import sys\nimport gridsim.cli\n"
        "print({'numpy', 'pydantic', 'rich', 'loguru', 'pluggy', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
