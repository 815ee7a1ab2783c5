"""What became of a transport's readings, gathered until the ledger takes it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Literal

# Runs of the same fate that follow each other within this are written as one.
_TOGETHER_MS = 100


@dataclass(slots=True)
class _Run:
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

    def again(self, first: int, rows: int) -> None:
        now = time.time_ns() // 1_000_000
        with self._lock:
            self._retries.append((self._transport, first, rows, now))

    def take(
        self,
    ) -> tuple[list[tuple[int, int, int, str, str, int]], list[tuple[int, int, int, int]]]:
        """The rows for the tables fates and retries that have come since the last call."""
        with self._lock:
            runs, self._runs = self._runs, []
            retries, self._retries = self._retries, []
        number = self._transport
        fates = [(number, r.first, r.rows, r.fate, r.reason, r.wall_ms) for r in runs]
        return fates, retries
