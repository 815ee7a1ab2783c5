"""Formats and transports: how readings leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Batch, Roster
from gridsim.contracts.settings import Settings

Framing = Literal["der", "project"]


@dataclass(frozen=True, slots=True, eq=False)
class Payloads:
    """Encoded readings, in the order of the batch's rows."""

    bodies: Sequence[bytes]
    starts: NDArray[np.intp]
    """intp[len(bodies) + 1]: body i encodes the batch's rows starts[i] to starts[i + 1]."""


class Format(ABC):
    """The contract of a format: a batch to payloads.

    Made once per transport that names it, called from that transport's worker thread.
    """

    Settings: ClassVar[type[Settings]] = Settings
    is_json: ClassVar[bool] = False
    """Whether its payloads are JSON objects with the record's fields, or arrays of them."""
    header: bytes = b""
    """What a file of this format starts with (a CSV's first line)."""

    def __init__(self, settings: Any, framing: Framing, roster: Roster) -> None:
        """Raises ValueError if the settings do not fit the framing or the roster."""
        self.settings = settings
        self.framing = framing
        self.roster = roster

    @abstractmethod
    def encode(self, batch: Batch) -> Payloads:
        """One payload per row (framing `der`) or per group of rows (`project`)."""

    def encode_parts(self, batch: Batch, rows: int = 16_384) -> Iterator[tuple[Batch, Payloads]]:
        """`encode` a batch that may be large, in parts of about `rows` rows.

        Parts are cut between payloads; each comes with its rows. Bounds the memory, and lets
        a transport account for what has left before the rest is encoded.
        """
        ends = batch.groups() if self.framing == "project" else None
        start = 0
        while start < len(batch):
            stop = min(start + rows, len(batch))
            if ends is not None:
                stop = int(ends[np.searchsorted(ends, stop)])
            part = batch.rows(start, stop)
            yield part, self.encode(part)
            start = stop


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


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a transport may know of the run it serves."""

    roster: Roster
    start_ms: int
    """The simulation's start, UTC."""
    embedded_broker: Callable[[int], tuple[str, int]]
    """Starts the run's embedded MQTT broker at the wished port, if it is not yet running,
    and returns the host and port where it listens. One broker serves all who ask."""


class Transport(ABC):
    """The contract of a transport. Delivery owns its queue, retries and counters.

    All methods after the constructor are called from one worker thread of the transport's
    own, so they may block; `describe` may be called from any thread. Any of them may raise
    `TransportError`: the worker then closes, waits with growing pauses, connects again, and
    writes the rows that the receipt does not account for.
    """

    Settings: ClassVar[type[Settings]] = Settings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")

    def __init__(self, settings: Any, format: Format, run: Run) -> None:
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
