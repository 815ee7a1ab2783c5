"""The messages of QoS 1 and 2 in flight, in the order of sending."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PACKET_IDS = 65_535
"""The largest packet id; ids go from 1 to this and then start again (section 2.3.1)."""


class PacketWindow:
    """The window of messages in flight; message n (from 0) has the packet id 1 + n % 65,535.

    Acknowledgements may arrive in any order; `settled` is the first message without one.
    """

    def __init__(self, size: int) -> None:
        self.size = min(size, PACKET_IDS)
        self.sent = 0
        """The number of messages that have a packet id."""
        self.settled = 0
        """The number of the first message that is not done."""
        self.refused: dict[int, str] = {}
        """The reasons of messages that are done without being delivered, by number."""
        self.given_up = 0
        """The number of messages done without an answer; for the broker they are under way."""
        self._done = np.zeros(PACKET_IDS, np.bool_)

    @property
    def room(self) -> int:
        return self.size - (self.sent - self.settled) - self.given_up

    def take(self, count: int) -> NDArray[np.uint16]:
        """Return the packet ids of the next `count` messages, uint16[count].

        `count` is at most `room`.
        """
        numbers = np.arange(self.sent, self.sent + count)
        self.sent += count
        return (numbers % PACKET_IDS + 1).astype(np.uint16)

    def skip(self, reason: str) -> None:
        """Mark the next message as done without sending it; it uses a packet id."""
        self.refused[self.sent] = reason
        self._done[self.sent % PACKET_IDS] = True
        self.sent += 1
        self._advance()

    def give_up(self, numbers: NDArray[np.intp], reason: str) -> None:
        """Mark messages as done, by number, that got no answer."""
        self.given_up += len(numbers)
        self.finish((numbers % PACKET_IDS + 1).astype(np.uint16), reason)

    def finish(self, ids: NDArray[np.uint16], refusal: str = "") -> None:
        """Mark messages as done, by packet id.

        Ids that are not in flight are ignored, as are those of messages that are done.
        """
        places = ids.astype(np.int64) - 1
        numbers = self.settled + (places - self.settled) % PACKET_IDS
        known = (places >= 0) & (numbers < self.sent) & ~self._done[places]
        if refusal:
            self.refused.update((number, refusal) for number in numbers[known].tolist())
        self._done[places[known]] = True
        self._advance()

    def is_open(self, numbers: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of the messages in the window have no answer yet."""
        return (numbers >= self.settled) & ~self._done[numbers % PACKET_IDS]

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
