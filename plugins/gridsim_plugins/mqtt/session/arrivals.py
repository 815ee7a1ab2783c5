"""The messages of a subscription that wait to be read."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

# The memory of a message besides its payload, in bytes.
_OVERHEAD_BYTES = 300


class ArrivedMessage(NamedTuple):
    """A message that was received."""

    topic: str
    payload: bytes
    retained: bool
    """True if the broker has stored the message since before this session."""
    qos: int = 0


class MessageQueue:
    """A bounded queue of messages.

    With `most_each`, topics are served in turn when more messages wait than are taken at once, so a
    flood to one topic does not delay the others. Otherwise messages are taken in the order of
    arrival.
    """

    def __init__(self, most_bytes: int, most_each: int | None = None) -> None:
        """Make an empty queue; `most_each` is the largest number of messages of one topic; None: no
        limit.

        With `most_each` the first message of a topic has room up to twice `most_bytes`.
        """
        self._most_bytes = most_bytes
        self._most_each = most_each
        self._waiting: dict[str, deque[tuple[int, ArrivedMessage]]] = {}
        """The messages with their numbers, by topic if topics take turns."""
        self._count = self._number = self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def add(self, message: ArrivedMessage) -> bool:
        """Queue a message; return False if there is no room."""
        size = len(message.payload) + _OVERHEAD_BYTES
        key = "" if self._most_each is None else message.topic
        queue = self._waiting.get(key)
        # Floods to many topics must not shut out a topic without a waiting message.
        most = self._most_bytes if queue or self._most_each is None else 2 * self._most_bytes
        if self._count and self._bytes + size > most:
            return False
        if queue is None:
            queue = self._waiting[key] = deque()
        if self._most_each is not None and len(queue) >= self._most_each:
            return False
        queue.append((self._number, message))
        self._number += 1
        self._count += 1
        self._bytes += size
        return True

    def take(self, most: int) -> list[ArrivedMessage]:
        """Remove and return up to `most` messages, in the order of their arrival."""
        taken: list[tuple[int, ArrivedMessage]] = []
        while self._waiting and len(taken) < most:
            if len(self._waiting) == 1:
                self._take_from(next(iter(self._waiting)), most - len(taken), taken)
                continue
            for key in list(self._waiting)[: most - len(taken)]:
                self._take_from(key, 1, taken)
        # The next call begins with the topics that were not served in this one.
        for key in {message.topic for _, message in taken} & self._waiting.keys():
            self._waiting[key] = self._waiting.pop(key)
        self._count -= len(taken)
        self._bytes -= sum(len(message.payload) + _OVERHEAD_BYTES for _, message in taken)
        return [message for _, message in sorted(taken)]

    def _take_from(self, key: str, most: int, taken: list[tuple[int, ArrivedMessage]]) -> None:
        queue = self._waiting[key]
        taken.extend(queue.popleft() for _ in range(min(most, len(queue))))
        if not queue:
            del self._waiting[key]
