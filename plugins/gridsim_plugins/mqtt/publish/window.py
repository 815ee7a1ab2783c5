"""The messages of QoS 1 and 2 that are under way, in the order of their sending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PACKET_IDS = 65_535
"""They go from 1 to this, and round again; 0 is none (section 2.3.1)."""


class Window:
    """Counts messages from 0 on; message n has the packet id 1 + n % 65,535.

    Acknowledgements may come in any order; `settled` moves over those that are complete.
    """

    def __init__(self, size: int) -> None:
        self.size = min(size, PACKET_IDS)
        self.sent = 0
        """Messages that have an id."""
        self.settled = 0
        """All before this one are done."""
        self.refused: dict[int, str] = {}
        """Why a message is done without being delivered, by its number."""
        self._done = np.zeros(PACKET_IDS, np.bool_)

    @property
    def room(self) -> int:
        return self.size - (self.sent - self.settled)

    def take(self, count: int) -> NDArray[np.uint16]:
        """The packet ids of the next `count` messages, at most `room`: uint16[count]."""
        numbers = np.arange(self.sent, self.sent + count)
        self.sent += count
        return (numbers % PACKET_IDS + 1).astype(np.uint16)

    def skip(self, reason: str) -> None:
        """The next message is not sent; it takes its place all the same."""
        self.refused[self.sent] = reason
        self._done[self.sent % PACKET_IDS] = True
        self.sent += 1
        self._advance()

    def finish(self, ids: NDArray[np.uint16], refusal: str = "") -> None:
        """These are acknowledged for good. Ids that are not under way are ignored."""
        places = ids.astype(np.int64) - 1
        numbers = self.settled + (places - self.settled) % PACKET_IDS
        known = (places >= 0) & (numbers < self.sent)
        if refusal:
            self.refused.update((number, refusal) for number in numbers[known].tolist())
        self._done[places[known]] = True
        self._advance()

    def _advance(self) -> None:
        while self.settled < self.sent:
            place = self.settled % PACKET_IDS
            end = min(place + self.sent - self.settled, PACKET_IDS)
            open_ = np.flatnonzero(~self._done[place:end])
            count = int(open_[0]) if len(open_) else end - place
            self._done[place : place + count] = False
            self.settled += count
            if place + count < end:
                return
