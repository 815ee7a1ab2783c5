"""The account of one transport's readings, kept in one place and told to whoever wants to know."""

from __future__ import annotations

import time
from typing import Literal, Protocol

from loguru import logger

from gridsim.delivery.account import Counters

Fate = Literal["delivered", "unconfirmed", "dropped"]

_LOG_EVERY_S = 10.0


class Observer(Protocol):
    """Hears what became of every reading of one transport, each exactly once.

    Called from several threads, one at a time, and must return at once. Readings are named by
    their numbers: `Batch.number` of the first, and how many.
    """

    def settled(self, first: int, rows: int, fate: Fate, reason: str) -> None:
        """This became of them; `reason` says why they were dropped."""

    def again(self, first: int, rows: int) -> None:
        """The transport failed with these under way: they may be sent again, and come twice."""


class ReadingAccount:
    """Counts, tells the observer, and says in the log what is dropped.

    Not thread-safe: the runner's lock guards it.
    """

    def __init__(self, name: str, observer: Observer | None) -> None:
        self.counters = Counters()
        self._name = name
        self._observer = observer
        self._quiet_until: dict[str, float] = {}

    def accept(self, rows: int) -> None:
        self.counters.accepted += rows
        self.counters.pending += rows

    def settle(self, first: int, rows: int, fate: Fate, reason: str = "") -> None:
        """Moves rows from pending to where they belong."""
        self.counters.pending -= rows
        match fate:
            case "delivered":
                self.counters.delivered += rows
            case "unconfirmed":
                self.counters.unconfirmed += rows
            case "dropped":
                self.counters.dropped[reason] += rows
        if self._observer is not None:
            self._observer.settled(first, rows, fate, reason)

    def again(self, first: int, rows: int) -> None:
        if self._observer is not None:
            self._observer.again(first, rows)

    def say_drop(self, reason: str) -> None:
        total = sum(self.counters.dropped.values())
        message = "transport {} drops readings ({}), {} in all"
        self.say("WARNING", message, self._name, reason, total)

    def say(self, level: str, message: str, *values: object) -> None:
        """Logs, but the same message at most once in ten seconds."""
        now = time.monotonic()
        if now >= self._quiet_until.get(message, 0.0):
            self._quiet_until[message] = now + _LOG_EVERY_S
            logger.log(level, message, *values)
