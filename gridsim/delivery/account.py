"""What delivery counts, and by which policy it treats a transport."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

OnFull = Literal["drop_oldest", "drop_newest", "block"]
TransportState = Literal["connecting", "up", "closed", "failed", "reader gone"]

QUEUE_FULL = "queue full"
"""Why a reading is dropped that the transport was too slow for."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How a runner treats its transport."""

    queue_bytes: int
    on_full: OnFull
    stall_timeout_s: float
    """How long a blocked or final flush may go without progress before the transport fails."""
    give_up_at_start: bool
    """Whether a first connection that fails ends it, instead of being tried again."""


@dataclass(slots=True)
class Counters:
    """In readings. A snapshot is taken under the runner's lock."""

    accepted: int = 0
    delivered: int = 0
    unconfirmed: int = 0
    pending: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    reconnects: int = 0

    def copy(self) -> Counters:
        return Counters(
            self.accepted,
            self.delivered,
            self.unconfirmed,
            self.pending,
            Counter(self.dropped),
            self.reconnects,
        )
