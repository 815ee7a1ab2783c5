"""The messages of a batch that are in flight in the window of QoS 1 and 2."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.publish.isolation import Isolation
from gridsim_plugins.mqtt.publish.messages import DELIVERED, MessageAccount, Messages
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.publish.window import PacketWindow

_NONE = np.empty(0, np.intp)


class Flight:
    """The messages of one batch in the window."""

    def __init__(
        self,
        window: PacketWindow,
        account: MessageAccount,
        isolation: Isolation,
        unanswered: Unanswered,
    ) -> None:
        self._window = window
        self._account = account
        self._isolation = isolation
        self._unanswered = unanswered
        self._parts: deque[tuple[int, Messages, NDArray[np.intp]]] = deque()
        """The number of the first message, the messages, and the sizes of their packets."""
        self._end = self._accounted = window.sent
        self._sent: deque[tuple[int, float]] = deque()
        """The end of each block, as a message's number, and its time of sending."""

    @property
    def under_way(self) -> bool:
        return self._accounted < self._end

    def expect(self, messages: Messages, sizes: NDArray[np.intp]) -> None:
        """Add messages that are about to be sent, with the sizes of their packets."""
        self._parts.append((self._end, messages, sizes))
        self._end += len(messages)

    def note_sent(self) -> None:
        self._sent.append((self._window.sent, time.monotonic()))

    def resume(self) -> None:
        """Continue after another flight has used the window; nothing is in flight."""
        self._end = self._accounted = self._window.sent

    def sent(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Return the messages that have no answer yet: topics, packet sizes, numbers."""
        topics, packets, places = [_NONE], [_NONE], [_NONE]
        for first, messages, sizes in self._parts:
            numbers = np.arange(first, min(first + len(messages), self._window.sent))
            open_ = self._window.is_open(numbers)
            topics.append(messages.topic[: len(numbers)][open_])
            packets.append(sizes[: len(numbers)][open_])
            places.append(numbers[open_])
        return np.concatenate(topics), np.concatenate(packets), np.concatenate(places)

    def account_for(self) -> None:
        """Report the messages that have been settled since the last call to the receipt."""
        settled = self._window.settled
        while self._sent and self._sent[0][0] <= settled:
            self._account.lag(time.monotonic() - self._sent.popleft()[1])
        while self._accounted < min(settled, self._end):
            first, messages, sizes = self._parts[0]
            stop = min(settled, first + len(messages))
            begin = self._accounted - first
            self._add(messages.part(begin, stop - first), sizes[begin : stop - first])
            self._accounted = stop
            if stop == first + len(messages):
                self._parts.popleft()
        self._account.report()

    def _add(self, messages: Messages, sizes: NDArray[np.intp]) -> None:
        refused = self._window.refused
        idle = self._isolation.is_idle
        if not refused:
            self._account.add(DELIVERED, int(messages.rows.sum()))
            self._unanswered.note_delivered(messages.topic)
            if not idle:
                self._isolation.note_passed(messages.topic, sizes)
            return
        outcomes = [
            refused.pop(number, DELIVERED)
            for number in range(self._accounted, self._accounted + len(messages))
        ]
        for outcome, count in zip(outcomes, messages.rows.tolist(), strict=True):
            self._account.add(outcome, count)
        passed = np.array([outcome == DELIVERED for outcome in outcomes], np.bool_)
        self._unanswered.note_delivered(messages.topic[passed])
        if not idle:
            self._isolation.note_passed(messages.topic[passed], sizes[passed])


class NotedOutcome:
    """A receipt for a message that is accounted for later."""

    def __init__(self) -> None:
        self.delivered_rows = 0

    def delivered(self, rows: int) -> None:
        self.delivered_rows += rows

    def unconfirmed(self, rows: int) -> None:
        pass

    def dropped(self, rows: int, reason: str) -> None:
        pass

    def lag(self, seconds: float) -> None:
        pass
