"""The transport `newname` and its probe: lines in a file, and their reader.

A probe is the other end of a protocol: with it `gridsim verify --subscribe` reads what the
transport of the same name writes. Replace the file by the clients of your protocol.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from gridsim.api import (
    Batch,
    Framing,
    Listener,
    LocalPath,
    Probe,
    Receipt,
    ReceivedMessage,
    Register,
    Settings,
    Transport,
    TransportError,
    hookimpl,
)
from pydantic import Field

_POLL_S = 0.01


class NewNameSettings(Settings):
    """Settings of the transport; its probe gets them, too."""

    path: LocalPath = Field(description="the file, relative to the folder of the configuration")


class NewName(Transport[NewNameSettings]):
    """Lines in a file; delivered: the operating system has them."""

    Settings = NewNameSettings

    def describe(self) -> str:
        return f"lines in {self.settings.path}"

    def connect(self) -> None:
        _append(self.settings.path, [])

    def write(self, batch: Batch, receipt: Receipt) -> None:
        _append(self.settings.path, self.format.encode(batch).bodies)

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class NewNameListener(Listener):
    """The lines that are appended after `connect`."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._read = 0

    def describe(self) -> str:
        return str(self._path)

    def connect(self) -> None:
        self._read = self._path.stat().st_size if self._path.exists() else 0

    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        deadline = time.monotonic() + timeout_s
        while not (lines := self._new_lines()) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        now_ms = time.time_ns() // 1_000_000
        return [ReceivedMessage(line, now_ms) for line in lines]

    def close(self) -> None:
        """Do nothing, because no file stays open."""

    def _new_lines(self) -> list[bytes]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return whole.split(b"\n") if newline else []


class NewNameProbe(Probe[NewNameSettings, Settings]):
    """The reader of the file. It may also override `send` and `measure`."""

    def listen(self, settings: NewNameSettings, framing: Framing) -> Listener:
        return NewNameListener(settings.path)


def _append(path: str, lines: Sequence[bytes]) -> None:
    try:
        with open(path, "ab") as file:
            file.writelines(line + b"\n" for line in lines)
    except OSError as error:
        # gridsim waits and connects again.
        raise TransportError(f"{path}: {error.strerror}") from error


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("newname", NewName)
    register.probe("newname", NewNameProbe)
