"""The progress file: how far a run has got since its checkpoint, in a few bytes.

Each value is overwritten in place and has its own checksum. The file is not synchronised: it
survives the end of the process, but not that of the machine, after which readings are sent again.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PLACE = 64
_HEAD = struct.Struct("<qqdq")
_SETTLED = struct.Struct("<q")
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a run."""

    tick: int = 0
    """The first tick whose readings were not handed to the transports."""
    due_ms: int = 0
    """The time at which that tick is due, UTC by the wall clock; 0: it has none."""
    speed: float = 0.0
    readings: int = 0
    """The number of the first reading of that tick."""
    settled: Sequence[int] = ()
    """The number of the first reading that is not settled, for each transport."""


class ProgressFile:
    """The file of one run. A write that fails raises OSError, and the run can go on."""

    def __init__(self, path: Path, progress: RunProgress) -> None:
        """Create the file, or overwrite it. Raises OSError."""
        flags = os.O_CREAT | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        self._lock = threading.Lock()
        self._descriptor = os.open(path, flags, 0o600)
        try:
            self.mark(progress)
            for transport, number in enumerate(progress.settled):
                self.settle(transport, number)
            os.ftruncate(self._descriptor, _PLACE * (1 + len(progress.settled)))
        except BaseException:
            self.close()
            raise

    def mark(self, progress: RunProgress) -> None:
        """Write everything but `settled`. Called before the readings of a tick are handed over."""
        self._write(
            0,
            _HEAD.pack(progress.tick, progress.due_ms, progress.speed, progress.readings),
        )

    def settle(self, transport: int, number: int) -> None:
        """Write the number of the first reading that is not settled; from any thread."""
        self._write(1 + transport, _SETTLED.pack(number))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, place: int, value: bytes) -> None:
        if self._descriptor < 0:
            return
        data = value + _CRC.pack(zlib.crc32(value))
        with self._lock:
            # Windows has no pwrite.
            os.lseek(self._descriptor, place * _PLACE, os.SEEK_SET)
            os.write(self._descriptor, data.ljust(_PLACE, b"\0"))


def read_progress(path: Path, transports: int) -> RunProgress | None:
    """Return the progress of a run; None if there is none, or if it is damaged. Raises OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head = _read(data, 0, _HEAD)
    settled = [_read(data, place, _SETTLED) for place in range(1, 1 + transports)]
    if head is None or None in settled:
        return None
    tick, due_ms, speed, readings = head
    numbers = [one[0] for one in settled if one is not None]
    if min(tick, readings, *numbers, due_ms) < 0 or not 0 <= speed < float("inf"):
        return None
    return RunProgress(tick, due_ms, speed, readings, numbers)


def _read(data: bytes, place: int, form: struct.Struct) -> tuple[int, ...] | None:
    start = place * _PLACE
    value = data[start : start + form.size]
    crc = data[start + form.size : start + form.size + _CRC.size]
    if len(value) < form.size or crc != _CRC.pack(zlib.crc32(value)):
        return None
    return form.unpack(value)
