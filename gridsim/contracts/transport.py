"""Transports: how readings leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from gridsim.contracts.batch import Batch
from gridsim.contracts.format import Format, Framing
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import Settings


class Receipt(Protocol):
    """The account of one `write`: the transport says what became of the rows.

    Rows are accounted for in order from the batch's first on. What is left when `write`
    returns counts as delivered; what is left when it raises is written again later.
    """

    def delivered(self, rows: int) -> None:
        """The far end has confirmed the next `rows` rows."""

    def unconfirmed(self, rows: int) -> None:
        """The next rows went out; whether they arrived will never be known."""

    def dropped(self, rows: int, reason: str) -> None:
        """The next rows cannot be sent at all (over the size limit, say)."""

    def lag(self, seconds: float) -> None:
        """The far end has answered this long after it had been sent everything; optional."""


class Transport(ABC):
    """The contract of a transport. Delivery owns its queue, retries and counters.

    All methods after the constructor are called from one worker thread of the transport's
    own, so they may block; `describe` may be called from any thread. Any of them may raise
    `TransportError`: the worker then closes, waits with growing pauses, connects again, and
    writes the rows that the receipt does not account for.
    """

    Settings: ClassVar[type[Settings]] = Settings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")

    def __init__(self, settings: Any, format: Format, run: RunContext) -> None:
        """Opens nothing. Raises ValueError if the settings do not fit the run."""
        self.settings = settings
        self.format = format
        self.run = run

    @abstractmethod
    def describe(self) -> str:
        """Where the readings go, for a person: one line, without secrets."""

    def hint(self) -> str:
        """A command with which a person can look at what arrives; may be empty."""
        return ""

    @abstractmethod
    def connect(self) -> None:
        """Open the way out."""

    @abstractmethod
    def write(self, batch: Batch, receipt: Receipt) -> None:
        """Encode and send, and return once the far end has everything.

        Encode in parts (`batch.rows`) if the batch may be large.
        """

    def idle(self) -> None:  # noqa: B027
        """Called a few times a second while there is nothing to write: keep the way open."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; called also after a failure, and before each `connect` anew."""
