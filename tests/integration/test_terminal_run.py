"""The live view as a user sees it: a run in a pseudoterminal."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import prepared

DEADLINE_S = 60.0

CONFIG = """
[[projects]]
id = "HOME"

[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0

[[transports]]
type = "file"
path = "out.jsonl"
"""


class Session:
    """A command in a pseudoterminal of its own, with 80 columns and 24 lines."""

    def __init__(self, folder: Path, *words: str, leads: bool = True) -> None:
        """Start it. `leads`: the terminal is its own; such a process cannot be stopped."""
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.output = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        words = ("--config", "home.toml", *words)
        streams = [self.theirs] * 3
        self.process: prepared.Started | subprocess.Popen[bytes]
        if leads:
            self.process = prepared.Started(words, folder, environment, *streams)
            return
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gridsim", *words],
            cwd=folder,
            env=environment,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            process_group=0,
        )

    def wait_for(self, text: str) -> None:
        """Read until the output has a text."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.output:
            left = deadline - time.monotonic()
            assert select.select([self.ours], [], [], max(left, 0.0))[0], self.output
            self._read()

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def end(self) -> int:
        """Wait for the end, read the rest, and return the exit status."""
        status = self.process.wait(DEADLINE_S)
        # Output arrives in order, but some time after it was written.
        os.write(self.theirs, b"\x05")
        while not self.output.endswith("\x05"):
            self._read()
        self.output = self.output[:-1]
        return status

    def _read(self) -> None:
        """Read what is there. It may end within a character."""
        self.output += self._decoder.decode(os.read(self.ours, 65536))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "home.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def session(folder: Path) -> Iterator[Session]:
    made = Session(folder)
    yield made
    made.close()


def plain(output: str) -> str:
    """Return the output without styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_the_terminal_is_left_as_it_was(
    session: Session, number: signal.Signals, status: int
) -> None:
    session.wait_for("RUNNING")
    if number == signal.SIGINT:
        session.type("\x03")
    else:
        session.process.send_signal(number)
    assert session.end() == status
    assert termios.tcgetattr(session.theirs) == session.before
    # The only modes are those of a synchronised frame: the cursor is not hidden, and the screen
    # is not switched.
    assert set(re.findall(r"\x1b\[\?[0-9]+[hl]", session.output)) == {"\x1b[?2026h", "\x1b[?2026l"}
    assert "Traceback" not in session.output
    if number != signal.SIGKILL:
        picture, _, closing = plain(session.output).rpartition("none in this run")
        assert " ENDED " in picture[-3000:]
        assert re.search(r"\d+ ticks? and \d+ readings? in", closing)
        # The closing lines are below the last picture, which nothing draws over.
        assert "\x1b[?2026h" not in closing.partition("readings in")[2]


def test_a_terminal_that_closes_ends_the_run(folder: Path) -> None:
    """SIGHUP reloads the configuration otherwise."""
    session = Session(folder)
    session.wait_for("RUNNING")
    session.process.send_signal(signal.SIGHUP)
    session.wait_for("configuration reloaded")
    os.close(session.ours)
    os.close(session.theirs)
    assert session.process.wait(DEADLINE_S) == 129
    lines = (folder / "out.jsonl").read_text().splitlines()
    assert len({json.loads(line)["timestamp"] for line in lines}) == len(lines) > 0


def test_the_picture_begins_anew_below_what_the_shell_wrote_after_ctrl_z(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    session = Session(folder, leads=False)
    request.addfinalizer(session.close)
    session.wait_for("RUNNING")
    session.process.send_signal(signal.SIGTSTP)
    _, found = os.waitpid(session.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(found)
    assert termios.tcgetattr(session.theirs) == session.before
    os.write(session.theirs, b"$ fg\n")
    session.process.send_signal(signal.SIGCONT)
    session.output = ""
    session.wait_for("$ fg\r\n")
    session.output = session.output.partition("$ fg\r\n")[2]
    session.wait_for("RUNNING")
    drawn = session.output
    # The first frame does not move the cursor up.
    assert "\x1b[?2026h\r" in drawn.partition("RUNNING")[0]
    assert not re.search(r"\x1b\[[0-9]+A", drawn.partition("RUNNING")[0])
    session.process.terminate()
    assert session.end() == 143
