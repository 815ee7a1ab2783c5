"""Terminals of every kind: which can show a picture, and the bar of a command."""

from __future__ import annotations

import io
import os
import sys

import pytest
from rich.text import Text

from gridsim.cli.progress import reporter
from gridsim.terminals import unsuitable
from gridsim_plugins.views.terminal.screen import Screen, harmless
from tests.unit.terminal_screen.terminals import Terminal, echo, opened, picture


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
