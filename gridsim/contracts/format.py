"""Formats: from a batch to payloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Batch, Roster
from gridsim.contracts.settings import S, Settings

Framing = Literal["der", "project"]


@dataclass(frozen=True, slots=True, eq=False)
class Payloads:
    """Encoded readings, in the order of the batch's rows."""

    bodies: Sequence[bytes]
    starts: NDArray[np.intp]
    """The first row of each body, then the end: body i has the rows starts[i] to starts[i + 1]."""


class Format(ABC, Generic[S]):
    """The contract of a format: a batch to payloads.

    One object per transport that uses it, called in the worker thread of that transport.
    """

    Settings: ClassVar[type[Settings]] = Settings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")
    is_json: ClassVar[bool] = False
    """True if payloads are JSON objects with the fields of the record, or arrays of them."""
    header: bytes = b""
    """The first line of a file in this format, such as the header of a CSV file."""

    def __init__(self, settings: S, framing: Framing, roster: Roster) -> None:
        """Raise ValueError if the settings do not fit the framing or the roster.

        Raise `TextError` for an error at a character of a text, such as a template.
        """
        if framing not in self.framings:
            known = " or ".join(self.framings)
            raise ValueError(f"framing: this format supports {known}, not {framing}")
        self.settings = settings
        self.framing = framing
        self.roster = roster

    @abstractmethod
    def encode(self, batch: Batch) -> Payloads:
        """Return one payload per row (framing `der`) or per group of rows (`project`)."""

    def cuts(self, batch: Batch) -> NDArray[np.intp] | None:
        """Return the rows at which a batch may be divided for encoding; None: at any row.

        They ascend from 0 to the length of the batch.
        """
        return batch.groups() if self.framing == "project" else None

    def example(self) -> str:
        """Return one message with typical values, for a user who checks a configuration.

        A format whose messages are well known returns an empty text.
        """
        return ""

    def encode_parts(self, batch: Batch, rows: int = 16_384) -> Iterator[tuple[Batch, Payloads]]:
        """Encode a batch that may be large, and yield parts of about `rows` rows.

        Each part has whole payloads and comes with its rows. This bounds the memory, and a
        transport can account for one part before the next is encoded.
        """
        ends = self.cuts(batch)
        start = 0
        while start < len(batch):
            stop = min(start + rows, len(batch))
            if ends is not None:
                stop = int(ends[np.searchsorted(ends, stop)])
            part = batch.rows(start, stop)
            yield part, self.encode(part)
            start = stop
