"""Messages of QoS 1 and 2 that the broker does not answer, though it answers others.

A message without an answer is sent again on a new connection, as MQTT demands. If the broker does
not answer it there either, its readings count as unconfirmed, so that it does not hold up others.
Later messages to the same topic are not waited for any longer than for a ping.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from loguru import logger
from numpy.typing import NDArray

_PATIENCE = 4
"""The stall, of several in a row, in which all messages without an answer are given up."""
_OFTEN = 10_000
"""The number of answers after which a stall does not follow in a row."""


class Unanswered:
    """The topics of messages without an answer; topics are named by their indices."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics
        self._before: set[int] = set()
        """The topics of the messages that had no answer when the last connection was given up."""
        self._silent: set[int] = set()
        """The topics of the messages that were given up."""
        self._answers = False
        """True if the broker has answered a message since messages were given up."""
        self._answered = self._stalls = 0
        """The answers since the last stall, and the stalls with few answers in between."""

    def note_answers(self, count: int) -> None:
        """Note that the broker has answered messages."""
        self._answers = True
        self._answered += count

    def note_delivered(self, topic: NDArray[np.intp]) -> None:
        """Note messages that the broker has confirmed."""
        if self._before or self._silent:
            delivered = set(topic.tolist())
            self._before -= delivered
            self._silent -= delivered

    @property
    def known(self) -> bool:
        """True if to some topics no answer is expected, while others are answered."""
        return bool(self._silent) and self._answers

    def among(self, topic: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return for which messages no answer is expected; see `known`."""
        return np.isin(topic, list(self._silent))

    def note_stall(
        self, topic: NDArray[np.intp], sizes: NDArray[np.intp], *, resend: bool
    ) -> NDArray[np.bool_]:
        """Return which of the messages are given up, because others were answered.

        The messages got no answer in time, but the broker has answered a ping. With `resend`, only
        those are given up that got none on an earlier connection either, or all if this happens
        often.
        """
        if not self.among(topic).all():
            self._stalls = 1 if self._answered > _OFTEN else self._stalls + 1
            self._answered = 0
        before, self._before = self._before, set(topic.tolist())
        chosen = np.full(len(topic), self._answers, np.bool_)
        if resend and self._stalls < _PATIENCE:
            chosen &= np.isin(topic, list(before | self._silent))
        self._give_up(topic[chosen], sizes[chosen], resend=resend)
        return chosen

    def _give_up(self, topic: NDArray[np.intp], sizes: NDArray[np.intp], *, resend: bool) -> None:
        new = [n for n, one in enumerate(topic.tolist()) if one not in self._silent]
        if resend and len(topic):
            self._answers = False
        self._silent.update(topic.tolist())
        if new:
            logger.warning(
                "mqtt: the broker does not confirm {}{:,} bytes to {}{}, though it answers "
                "pings{}. The readings count as unconfirmed; later messages to the same topic do "
                "not hold up others",
                "a message of " if len(new) == 1 else f"{len(new):,} messages, the first of ",
                int(sizes[new[0]]),
                self._topics[int(topic[new[0]])],
                ", even when sent again" if resend and self._stalls < _PATIENCE else "",
                " and confirms other messages" if resend else "",
            )
