"""Formats: from a batch to payloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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
