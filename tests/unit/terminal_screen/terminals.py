"""A terminal in a test, and what it shows."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import tty

import pytest
from rich.text import Text

from gridsim_plugins.views.terminal.screen import Screen


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


def opened(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return a screen on standard error, which pytest replaces for each phase of a test."""
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    screen = Screen(terminal.stream)
    screen.open()
    return screen


def picture(*lines: str) -> list[Text]:
    return [Text(line, "bold") for line in lines]
