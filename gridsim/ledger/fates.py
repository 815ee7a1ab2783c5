"""The outcome of each reading in a transport, collected until the ledger writes it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Literal

KEPT = "kept in the spool"
"""The reason of readings that are pending at the end of a run."""

FateRow = tuple[int, int, int, str, str, int]
RetryRow = tuple[int, int, int, int]

# Consecutive readings with the same fate are written as one row if they settle within this time.
_TOGETHER_MS = 100


@dataclass(slots=True)
class _Run:
    """Consecutive readings with the same fate."""

    first: int
    rows: int
    fate: str
    reason: str
    wall_ms: int


class Fates:
    """The observer of one transport's runner; see `delivery.Observer`."""

    def __init__(self, transport: int) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._runs: list[_Run] = []
        self._retries: list[tuple[int, int, int, int]] = []

    def settled(
        self,
        first: int,
        rows: int,
        fate: Literal["delivered", "unconfirmed", "dropped"],
        reason: str,
    ) -> None:
        self._note(first, rows, fate, reason)

    def again(self, first: int, rows: int) -> None:
        now = time.time_ns() // 1_000_000
        with self._lock:
            self._retries.append((self._transport, first, rows, now))

    def kept(self, first: int, rows: int) -> None:
        self._note(first, rows, "pending", KEPT)

    def take(self, below: int) -> tuple[list[FateRow], list[RetryRow]]:
        """Remove and return the rows of readings whose number is less than `below`.

        They are for the tables fates and retries. The others stay, because their batches are
        not written yet.
        """
        with self._lock:
            written = [run for run in self._runs if run.first + run.rows <= below]
            self._runs = [run for run in self._runs if run.first + run.rows > below]
            for run in self._runs:
                if run.first < below:
                    part = replace(run, rows=below - run.first)
                    written.append(part)
                    run.first, run.rows = below, run.rows - part.rows
            retries = [retry for retry in self._retries if retry[1] + retry[2] <= below]
            self._retries = [retry for retry in self._retries if retry[1] + retry[2] > below]
        number = self._transport
        return [(number, r.first, r.rows, r.fate, r.reason, r.wall_ms) for r in written], retries

    def _note(self, first: int, rows: int, fate: str, reason: str) -> None:
        now = time.time_ns() // 1_000_000
        with self._lock:
            last = self._runs[-1] if self._runs else None
            if (
                last is not None
                and first == last.first + last.rows
                and (fate, reason) == (last.fate, last.reason)
                and 0 <= now - last.wall_ms <= _TOGETHER_MS
            ):
                last.rows += rows
            else:
                self._runs.append(_Run(first, rows, fate, reason, now))
