"""The drawing in place: the picture stays whole, and the terminal as it was."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from gridsim.api import Roster, View
from gridsim.cli.progress import reporter
from gridsim.terminals import STOPS, typed_rows, unsuitable
from gridsim.testing import RecordingControl, ViewContract, make_roster
from gridsim_plugins.views.terminal import TerminalView
from gridsim_plugins.views.terminal.screen import Screen, harmless


class Emulator:
    """A terminal without wrapping and scrolling, which keeps its lines."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = self.column = 0
        self.ignored: list[str] = []

    def feed(self, text: str) -> None:
        for part in re.split(r"(\x1b\[[?0-9;]*[A-Za-z]|\r|\n)", text):
            if part == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif part == "\r":
                self.column = 0
            elif part.endswith("A") and part.startswith("\x1b"):
                self.row = max(self.row - int(part[2:-1]), 0)
            elif part == "\x1b[K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif part == "\x1b[2K":
                self.lines[self.row] = ""
            elif part == "\x1b[J":
                self.lines[self.row] = self.lines[self.row][: self.column]
                del self.lines[self.row + 1 :]
            elif part.startswith("\x1b"):
                self.ignored.append(part)
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)


class Terminal:
    """A pseudoterminal whose output an emulator shows."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self.stream = io.TextIOWrapper(io.FileIO(theirs, "w"), encoding="utf-8", newline="")
        self.emulator = Emulator()
        self.resize(80, 24)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def output(self) -> str:
        """Return all output so far that was not read. One read may return a part of it."""
        self.stream.write("\x05")
        self.stream.flush()
        text = b""
        while not text.endswith(b"\x05"):
            text += os.read(self.ours, 65536)
        return text[:-1].decode()

    def shown(self) -> list[str]:
        """Return the lines of the terminal after all output so far."""
        self.emulator.feed(self.output())
        return self.emulator.lines


def echo(terminal: Terminal) -> None:
    """Let the terminal show what is typed, and pass it on by lines."""
    modes = termios.tcgetattr(terminal.ours)
    modes[3] |= termios.ECHO | termios.ECHOCTL | termios.ICANON
    termios.tcsetattr(terminal.ours, termios.TCSANOW, modes)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made = Terminal()
    yield made
    made.stream.close()
    os.close(made.ours)


def opened(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return a screen on standard error, which pytest replaces for each phase of a test."""
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    screen = Screen(terminal.stream)
    screen.open()
    return screen


class TestContract(ViewContract):
    """The contract test, on a terminal."""

    view = TerminalView

    @pytest.fixture(autouse=True)
    def on_a_terminal(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        def drain() -> None:
            # A terminal that is not read blocks its writer.
            with suppress(OSError):
                while text := os.read(terminal.ours, 65536):
                    self.output += text

        self.output = b""
        self.stream, self.monkeypatch = terminal.stream, monkeypatch
        reader = threading.Thread(target=drain, daemon=True)
        reader.start()
        yield
        terminal.stream.close()
        reader.join(30.0)
        assert not reader.is_alive()

    def _made(self, tmp_path: Path, roster: Roster) -> tuple[View[Any], RecordingControl]:
        self.monkeypatch.setattr(sys, "stderr", self.stream)
        return super()._made(tmp_path, roster)

    def test_it_draws(self, tmp_path: Path) -> None:
        made, control = self._made(tmp_path, make_roster())
        made.start(control)
        assert sys.stderr is not self.stream
        made.show(control.newest)
        made.close()
        assert sys.stderr is self.stream
        assert made.describe() == ""


def picture(*lines: str) -> list[Text]:
    return [Text(line, "bold") for line in lines]


def test_a_picture_is_replaced_where_it_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.stream.write("before\n")
    screen = opened(terminal, monkeypatch)
    screen.draw(picture("one", "two", "three"))
    assert terminal.shown() == ["before", "one", "two", "three", ""]
    screen.draw(picture("1", "2"))
    assert terminal.shown() == ["before", "1", "2", ""]
    screen.close()
    terminal.stream.write("after\n")
    assert terminal.shown() == ["before", "1", "2", "after", ""]


def test_lines_of_others_are_above_the_picture(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = opened(terminal, monkeypatch)
    screen.draw(picture("one", "two"))
    print("a warning", file=sys.stderr)
    sys.stderr.write("a part")
    screen.draw(picture("1", "2"))
    assert terminal.shown() == ["a warning", "1", "2", ""]
    sys.stderr.write(" and its end\nmore\nthe rest")
    screen.draw(picture("1", "2"))
    assert terminal.shown() == ["a warning", "a part and its end", "more", "1", "2", ""]
    screen.close()
    assert sys.stderr is terminal.stream
    shown = terminal.shown()
    assert shown[:4] == ["a warning", "a part and its end", "more", "the rest"]


@pytest.mark.parametrize("typed", ["\n", "ls\n\n", "\x02\n", "part"])
def test_what_a_user_types_leaves_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    echo(terminal)
    screen = opened(terminal, monkeypatch)
    print("a line", file=sys.stderr)
    screen.draw(picture("one", "two"))
    os.write(terminal.ours, typed.encode())
    screen.draw(picture("one", "two"))
    assert terminal.shown() == ["a line", "one", "two", ""]
    print("above", file=sys.stderr)
    os.write(terminal.ours, typed.encode())
    screen.draw(picture("one", "two"))
    assert terminal.shown() == ["a line", "above", "one", "two", ""]


def test_the_rows_of_typed_lines(terminal: Terminal) -> None:
    echo(terminal)
    os.write(terminal.ours, b"x" * 80 + b"\n" + b"x" * 81 + b"\n" + b"\x02" * 41 + b"\n\nrest")
    assert typed_rows(terminal.stream, 80) == 1 + 2 + 2 + 1
    assert typed_rows(terminal.stream, 80) == 0


def test_lines_typed_before_the_first_picture_stay(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo(terminal)
    os.write(terminal.ours, b"ls\n")
    terminal.stream.write("started\n")
    screen = opened(terminal, monkeypatch)
    screen.draw(picture("one"))
    assert terminal.shown() == ["ls", "started", "one", ""]


def test_a_stopped_process_leaves_its_picture_and_draws_below(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = opened(terminal, monkeypatch)
    screen.draw(picture("one"))
    monkeypatch.setattr(STOPS, "count", STOPS.count + 1)
    terminal.stream.write("$ fg\n")
    screen.draw(picture("two"))
    screen.draw(picture("three"))
    assert terminal.shown() == ["one", "$ fg", "three", ""]


def test_a_window_that_became_narrower_has_wrapped_the_picture(terminal: Terminal) -> None:
    screen = Screen(terminal.stream)
    screen.draw(picture("x" * 79, "y"))
    terminal.shown()
    terminal.resize(30, 24)
    # Three lines of 30 columns for the first, one for the second.
    terminal.emulator.lines[:2] = ["x" * 30, "x" * 30, "x" * 19, "y"]
    terminal.emulator.row = 4
    screen.draw(picture("new"))
    assert terminal.shown() == ["new", ""]


def test_no_mode_of_the_terminal_is_changed(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = termios.tcgetattr(terminal.ours)
    screen = opened(terminal, monkeypatch)
    screen.draw(picture("one"))
    print("a line", file=sys.stderr)
    assert termios.tcgetattr(terminal.ours) == before
    terminal.shown()
    # Styles, and the beginning and end of a synchronised frame: the cursor is never hidden.
    modes = [part for part in terminal.emulator.ignored if not part.endswith("m")]
    assert set(modes) == {"\x1b[?2026h", "\x1b[?2026l"}
    assert modes[::2] == ["\x1b[?2026h"] * (len(modes) // 2)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("COLORTERM", "truecolor")])
def test_colours_follow_the_environment(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    Screen(terminal.stream).draw([Text("one", "#D55E00 bold")])
    terminal.shown()
    styles = {part for part in terminal.emulator.ignored if part.endswith("m")}
    coloured = {"\x1b[1;38;2;213;94;0m", "\x1b[0m"}
    assert styles == ({"\x1b[1m", "\x1b[0m"} if variable == "NO_COLOR" else coloured)


def test_a_closed_terminal_is_an_error_of_the_view(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = opened(terminal, monkeypatch)
    os.close(terminal.ours)
    terminal.ours = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(OSError, match="Input/output error"):
        screen.draw(picture("one"))
    screen.close()
    assert sys.stderr is terminal.stream


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("a\x1b[2Jb\x1b[5;5Hc", "abc"),
        ("\x1b]0;title\x07text", "text"),
        ("50 %\r100 %", "50 %100 %"),
        ("bell\x07 back\x08", "bell back"),
        ("two\nlines", "two\nlines"),
        ("nämé ■", "nämé ■"),
    ],
)
def test_other_output_cannot_move_the_cursor(text: str, kept: str) -> None:
    assert harmless(text) == kept


@pytest.mark.parametrize(
    ("columns", "rows", "term", "reason"),
    [
        (80, 24, "xterm", ""),
        (60, 16, "xterm", ""),
        (0, 0, "xterm", ""),
        (59, 24, "xterm", "the window has 59 columns and 24 lines, and the live view needs 60"),
        (80, 15, "xterm", "the window has 80 columns and 15 lines, and the live view needs 60"),
        (80, 24, "dumb", "the terminal cannot move its cursor (TERM=dumb)"),
    ],
)
def test_terminals_that_can_show_a_picture(
    terminal: Terminal, columns: int, rows: int, term: str, reason: str
) -> None:
    terminal.resize(columns, rows)
    found = unsuitable(terminal.stream, {"TERM": term})
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_the_bar_of_a_command_never_hides_the_cursor(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with reporter() as progress:
        progress.begin("reading", 4)
        progress.advance(1)
        progress.say("a line [with brackets]")
    text = terminal.output()
    assert "a line [with brackets]" in text
    assert "reading" in text
    assert "\x1b[?25l" not in text


def test_a_line_typed_below_the_bar_leaves_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo(terminal)
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with reporter() as progress:
        progress.begin("reading", 4)
        os.write(terminal.ours, b"ls\n")
        progress.say("a line")
    assert terminal.shown() == ["a line", "", ""]
    assert terminal.emulator.row == 1


def test_a_command_without_a_terminal_has_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    with reporter() as progress:
        progress.begin("reading", 4)
        progress.advance(1)
        progress.say("a line")
    assert capsys.readouterr().err == "a line\n"


def test_a_file_is_not_a_terminal() -> None:
    assert unsuitable(io.StringIO(), {"TERM": "xterm"}) == "it is not a terminal"
    assert unsuitable(None, {"TERM": "xterm"}) == "it is closed"
