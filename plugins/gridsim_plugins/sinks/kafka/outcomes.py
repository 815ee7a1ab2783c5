"""The outcomes of the messages of one part of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridsim.api import Receipt, TransportError

_REFUSED = frozenset(
    {"MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "INVALID_MSG", "_BAD_MSG", "INVALID_TIMESTAMP"}
)
"""The errors about the content of one message."""
_PERMANENT = frozenset(
    {
        *(
            "TOPIC_AUTHORIZATION_FAILED",
            "CLUSTER_AUTHORIZATION_FAILED",
            "SASL_AUTHENTICATION_FAILED",
        ),
        *("_AUTHENTICATION", "_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION"),
    }
)
"""The errors that need a change of settings, or of the cluster."""


class Outcomes:
    """The outcome of each message, reported to a receipt in order as soon as it is known."""

    def __init__(self, starts: Sequence[int], receipt: Receipt) -> None:
        """Note no outcome yet. `starts`: the first row of each message, then the end."""
        self._starts = starts
        self._receipt = receipt
        self._reasons: list[str | None] = [None] * (len(starts) - 1)
        """The reason of each drop; empty: delivered; None: unknown."""
        self._unknown = len(starts) - 1
        self._settled = 0
        self._error: Any = None
        self._failed = [False] * (len(starts) - 1)

    @property
    def are_known(self) -> bool:
        """True if the client has reported on every message."""
        return not self._unknown

    def note(self, place: int, error: Any) -> None:
        """Note what the client reports on a message; None: the brokers have it."""
        self._unknown -= 1
        if error is None:
            self._reasons[place] = ""
        elif error.name() in _REFUSED:
            self._reasons[place] = f"refused by Kafka: {error.name()}"
        else:
            self._failed[place] = True
            self._error = self._error or error

    def settle(self) -> None:
        """Report the messages from the first on whose outcome is known."""
        count = len(self._reasons)
        while self._settled < count:
            first = self._settled
            reason = self._reasons[first]
            if reason is None:
                return
            while self._settled < count and self._reasons[self._settled] == reason:
                self._settled += 1
            rows = self._starts[self._settled] - self._starts[first]
            if reason:
                self._receipt.dropped(rows, reason)
            else:
                self._receipt.delivered(rows)

    def check(self) -> None:
        """Raise TransportError if a message failed; it and the later ones are sent again."""
        self.settle()
        if self._error is not None:
            raise TransportError(
                " ".join(str(self._error.str()).split()), permanent=self._error.name() in _PERMANENT
            )
