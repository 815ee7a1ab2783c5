"""The commands of a user's system: their output in errors, time limits and ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gridsim.check.commands import CommandFailed, SystemCommands


@pytest.fixture
def commands(tmp_path: Path) -> SystemCommands:
    return SystemCommands(tmp_path, {"GRIDSIM_RECORDS": "out"}, 10.0, tmp_path / "commands.log")


def failure(commands: SystemCommands, text: str) -> str:
    with pytest.raises(CommandFailed) as caught:
        commands.run("export_command", text)
    return str(caught.value)


def test_a_command_runs_in_the_folder_with_its_variables(
    commands: SystemCommands, tmp_path: Path
) -> None:
    commands.run("export_command", 'echo one > "$GRIDSIM_RECORDS"')
    assert (tmp_path / "out").read_text() == "one\n"


def test_a_failure_has_the_status_and_the_last_lines(commands: SystemCommands) -> None:
    commands.run("reset_command", "echo before")
    text = "for n in 1 2 3 4 5 6 7; do echo line $n >&2; done; exit 3"
    assert failure(commands, text) == (
        f"export_command ended with status 3: {text}\n"
        "    line 3\n    line 4\n    line 5\n    line 6\n    line 7"
    )
    assert failure(commands, "exit 1") == (
        "export_command ended with status 1: exit 1: it printed nothing"
    )


def test_a_command_that_does_not_exist_is_named(commands: SystemCommands) -> None:
    message = failure(commands, "no-such-program --now")
    assert message.startswith("export_command ended with status 127: no-such-program --now\n")
    assert "not found" in message


def test_a_command_beyond_its_time_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    commands = SystemCommands(tmp_path, {}, 0.3, tmp_path / "commands.log")
    message = failure(commands, "sleep 60 & echo $! > child; wait")
    assert message.startswith("export_command did not end within 0.3 s (timeout_s): sleep 60")
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline


def test_a_system_is_ready_when_its_command_succeeds(
    commands: SystemCommands, tmp_path: Path
) -> None:
    commands.start("start_command", "echo up > ready; exec sleep 60")
    commands.run_until_ready("reset_command", "test -e ready && echo $$ > pid")
    commands.check()
    assert (tmp_path / "pid").exists()
    commands.stop()
    commands.check()


def test_a_system_that_ends_early_is_named_with_its_output(commands: SystemCommands) -> None:
    commands.start("start_command", "echo no config >&2; exit 5")
    with pytest.raises(CommandFailed) as caught:
        commands.run_until_ready("reset_command", "false")
    assert str(caught.value).startswith(
        "start_command ended with status 5 before the day was over\n    no config"
    )
    commands.stop()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = Path(f"/proc/{pid}/status")
    # A process that nobody has waited for is there, but has ended.
    return not status.exists() or "State:\tZ" not in status.read_text()
