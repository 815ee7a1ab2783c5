"""A picture on a terminal, and the lines above and below it."""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Roster, View
from gridsim.terminals import STOPS, typed_rows
from gridsim.testing import RecordingControl, ViewContract, make_roster
from gridsim_plugins.views.terminal import TerminalView
from gridsim_plugins.views.terminal.screen import Screen
from tests.unit.terminal_screen.terminals import Terminal, echo, opened, picture


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
