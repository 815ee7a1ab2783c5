"""The memory that a run has freed goes back to the system, from time to time."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.running.memory import EVERY_S, FreedMemory, system_trim


class Process:
    """A clock, and a return of memory that takes a while."""

    def __init__(self, takes_s: float) -> None:
        self.now, self.takes_s = 100.0, takes_s
        self.returned: list[float] = []
        self.freed = FreedMemory(self.trim, lambda: self.now)

    def trim(self) -> None:
        self.returned.append(self.now - 100.0)
        self.now += self.takes_s

    def look(self, until_s: float) -> None:
        while self.now < 100.0 + until_s:
            self.freed.look()
            self.now += 0.25


def test_memory_is_returned_every_ten_seconds() -> None:
    process = Process(0.0)
    process.look(35.0)
    assert process.returned == [EVERY_S, 2 * EVERY_S, 3 * EVERY_S]


def test_a_large_process_returns_it_less_often() -> None:
    """A return of 0.25 s is followed by 125 s without one: it takes a 500th of the time."""
    process = Process(0.25)
    process.look(270.0)
    assert process.returned == [EVERY_S, EVERY_S + 0.25 + 125.0, EVERY_S + 2 * 125.25]


def test_the_system_takes_back_what_lies_between_used_memory() -> None:
    trim = system_trim()
    if trim is None:
        pytest.skip("this C library returns memory by itself")
    blocks = [bytearray(60_000) for _ in range(500)]
    kept = blocks[::25]
    del blocks
    before = _resident()
    trim()
    assert len(kept) == 20
    assert before - _resident() > 20_000_000


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
