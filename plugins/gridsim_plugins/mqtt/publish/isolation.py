"""The search for messages on which the broker closes the connection.

A broker of MQTT 3.1.1 cannot refuse a message: it closes the connection, which stops all other
messages as well. The messages that were in flight then are suspects. From then on suspects are sent
in groups, with nothing else in flight. Each time the connection is closed on a group, the next
group is smaller, until one message is alone. That message is sent alone again, on a connection that
has been quiet and has answered a ping. If the broker closes the connection on it repeatedly, and
accepts other messages in between, the message is dropped, and later ones to its topic of at least
its size, too.

A broker that restarts, or closes connections for another reason, does so at any time. It is
unlikely to do so repeatedly in the milliseconds in which a certain message alone is in flight.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from loguru import logger
from numpy.typing import NDArray

Treatment = Literal["send", "isolate", "drop"]

REFUSED: Final = "the broker closes the connection on it"
"""Drop reason: the broker closes the connection on this message."""

QUIET_S: Final = 0.5
"""The time that a connection must be quiet before a message is sent alone, seconds."""

_PROOF = 2
"""The number of times that the broker must close on a message if others pass in between."""
_PROOF_ALONE = 5
"""The same number if there is no other message to compare it with."""
_SHRINK = 8
"""The factor by which a group becomes smaller each time."""
_TOPICS = 2
"""The number of topics on which messages must be refused before their size is taken as the
reason.
"""
_NO_LIMIT = 1 << 62
_ISOLATE = 2


@dataclass(frozen=True, slots=True)
class MessageSpan:
    """Consecutive messages that are treated alike: `start` to before `stop`."""

    start: int
    stop: int
    treatment: Treatment
    proof: bool = False
    """True if this message may be found to be the cause: the connection must be quiet before it."""


class Isolation:
    """The suspects, and the messages that are dropped; topics are named by their indices."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics
        self._start()

    def _start(self) -> None:
        count = len(self._topics)
        self._suspects = np.zeros(count, np.bool_)
        self._group = 1
        self._closed: Counter[int] = Counter()
        """The number of times that the connection was closed on a message alone, by topic."""
        self._compared: set[int] = set()
        """The topics in `_closed` after which another message has passed."""
        self._refused = np.full(count, _NO_LIMIT)
        """The size of the smallest message that is refused, by topic."""
        self._passed = np.zeros(count, np.int64)
        """The size of the largest message that has passed since the first refusal, by topic."""
        self._limit = _NO_LIMIT
        """The size from which on all messages are dropped, to any topic."""
        self._unfit: set[int] = set()
        """The topics on which the connection was closed in a comparison."""
        self._alone = np.zeros(count, np.bool_)
        """The suspects on which the connection was closed while they were alone."""
        self._changes = 0
        self.is_searching = False
        """True if there are suspects, so that messages that pass must be noted at once."""
        self.is_idle = True
        """True if there are no suspects, and nothing is refused."""

    def forget(self) -> None:
        """Forget everything, because the broker may have other limits now."""
        if not self.is_idle:
            self._start()

    def drops(self, topic: NDArray[np.intp], sizes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which messages are dropped; `sizes` are those of the packets."""
        dropped: NDArray[np.bool_] = sizes >= np.minimum(self._refused[topic], self._limit)
        return dropped

    def suspicious(self, topic: NDArray[np.intp], sizes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which messages must be isolated."""
        again = (self._refused[topic] < _NO_LIMIT) & (sizes > self._passed[topic])
        found: NDArray[np.bool_] = (self._suspects[topic] | again) & ~self.drops(topic, sizes)
        return found

    def pieces(self, topic: NDArray[np.intp], sizes: NDArray[np.intp]) -> Iterator[MessageSpan]:
        """Yield the pieces of consecutive messages; the notes made meanwhile are considered."""
        at, end, seen = 0, len(topic), -1
        while at < end:
            if self.is_idle:
                yield MessageSpan(at, end, "send")
                return
            if seen != self._changes:
                seen = self._changes
                kind = self.drops(topic, sizes) + 2 * self.suspicious(topic, sizes)
                cuts = [*(np.flatnonzero(np.diff(kind)) + 1).tolist(), end]
            stop = cuts[bisect_right(cuts, at)]
            if kind[at] == _ISOLATE:
                stop = min(stop, at + self._group)
                only = np.count_nonzero(self._suspects) == 1
                known = self._refused[topic[at]] < _NO_LIMIT
                proof = bool(stop == at + 1 and (only or known))
                yield MessageSpan(at, stop, "isolate", proof)
            else:
                yield MessageSpan(at, stop, "drop" if kind[at] else "send")
            at = stop

    def needs_comparison(self, topic: int) -> bool:
        """Return whether another message should pass before the one that is suspected."""
        return self._closed[topic] > 0 and topic not in self._compared

    def fit(self, topic: NDArray[np.intp], sizes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which messages may be sent for comparison."""
        unfit = np.isin(topic, list(self._unfit))
        return ~unfit & ~self.drops(topic, sizes) & ~self.suspicious(topic, sizes)

    def note_unfit(self, topic: int) -> None:
        """Note that the connection was closed while a message was sent for comparison."""
        self._unfit.add(topic)

    def needs_quiet(self, topic: NDArray[np.intp]) -> bool:
        """Return whether a message to one of the topics needs a quiet connection."""
        return bool((self._alone[topic] | (self._refused[topic] < _NO_LIMIT)).any())

    def note_passed(self, topic: NDArray[np.intp], sizes: NDArray[np.intp]) -> None:
        """Note messages that the broker has accepted."""
        if self.is_idle:
            return
        if (self._refused < _NO_LIMIT).any():
            np.maximum.at(self._passed, topic, sizes)
        if self.is_searching:
            passed = set(topic.tolist())
            if self._suspects[topic].any():
                self._suspects[topic] = self._alone[topic] = False
                self._changes += 1
            for cleared in passed:
                self._closed.pop(cleared, None)
            self._compared |= {suspect for suspect in self._closed if passed - {suspect}}
            self._note_state()

    def note_closed(
        self,
        topic: NDArray[np.intp],
        sizes: NDArray[np.intp],
        *,
        proof: bool,
        narrow: bool,
    ) -> None:
        """Note the messages that were in flight when the broker closed the connection.

        `proof`: a message was alone on a connection that had been quiet. `narrow`: there is one
        connection, so messages that were not in flight are no longer suspects.
        """
        if not len(topic):
            return
        under_way = np.zeros_like(self._suspects)
        under_way[topic] = True
        both = under_way & self._suspects
        if not narrow:
            if len(topic) == 1:
                self._alone |= both
            self._suspects |= under_way
        elif both.any():
            self._suspects = both
        else:
            self._suspects = under_way
            self._closed.clear()
            self._compared.clear()
            self._unfit.clear()
        self._group = max(1, int(np.count_nonzero(self._suspects)) // _SHRINK)
        if len(topic) == 1 and proof:
            self._count_close(int(topic[0]), int(sizes[0]))
        self._changes += 1
        self._note_state()

    def _note_state(self) -> None:
        self.is_searching = bool(self._suspects.any())
        self.is_idle = not self.is_searching and not (self._refused < _NO_LIMIT).any()

    def _count_close(self, topic: int, size: int) -> None:
        self._closed[topic] += 1
        times = self._closed[topic]
        known = self._refused[topic] < _NO_LIMIT
        compared = topic in self._compared
        if not known and not compared and (self._unfit or times < _PROOF_ALONE):
            return  # Perhaps the broker closes the connection on every message.
        if not known and times < _PROOF:
            return
        self._refused[topic] = size
        self._suspects[topic] = False
        del self._closed[topic]
        self._compared.discard(topic)
        evidence = f"{times} times when it was sent alone"
        evidence += ", while others passed" if compared else ", after it had answered a ping"
        logger.warning(
            "mqtt: the broker closes the connection on a message of {:,} bytes to {} ({}). It is "
            "dropped, with all to this topic of this size or more. The broker's log may give the "
            "reason, perhaps a size limit",
            size,
            self._topics[topic],
            "again" if known else evidence,
        )
        self._find_limit()

    def _find_limit(self) -> None:
        """Set the limit if two topics have refused messages, and no message as large passed."""
        refused = self._refused[self._refused < _NO_LIMIT]
        largest, smallest = int(self._passed.max()), int(refused.min())
        if len(refused) < _TOPICS or not 0 < largest < smallest:
            self._limit = _NO_LIMIT
        elif smallest < self._limit:
            self._limit = smallest
            logger.warning(
                "mqtt: messages of {:,} bytes or more are dropped on any topic: the broker closes "
                "the connection on them on {} topics, and none as large has passed",
                smallest,
                len(refused),
            )
