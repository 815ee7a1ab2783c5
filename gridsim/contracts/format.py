"""Formats: from a batch to payloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Batch, Roster
from gridsim.contracts.record import RecordSettings
from gridsim.contracts.settings import S, Settings

Framing = Literal["der", "project", "measurand", "batch"]
"""The content of a message: one reading; the readings of a project at one time; one value of one
reading; or consecutive readings of a batch.
"""

PART_ROWS: Final = 4096
"""The number of rows of a batch that are encoded at once. Their texts fit into the cache of a
processor core, so that a reading takes less time than in larger parts.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Payloads:
    """Encoded readings, in the order of the batch's rows."""

    bodies: Sequence[bytes]
    starts: NDArray[np.intp]
    """The first row of each body, then the end: body i has the rows starts[i] to starts[i + 1].

    With framing `measurand` it is the row of each body, then the end. A reading has a body for
    each measurand, in order; an empty one is not sent."""


class Format(ABC, Generic[S]):
    """The contract of a format: a batch to payloads.

    One object per transport that uses it, called in the worker thread of that transport.
    """

    Settings: ClassVar[type[Settings]] = Settings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")
    measurands: Sequence[str] = ()
    """The names of the values of a reading, with framing `measurand`."""
    batch_size: int = 1
    """The largest number of readings in a message, with framing `batch`."""
    is_json: ClassVar[bool] = False
    """True if payloads are JSON objects with the fields of the record, or arrays of them."""
    header: bytes = b""
    """The first line of a file in this format, such as the header of a CSV file."""

    @classmethod
    def wants(cls, settings: S) -> Collection[str]:
        """Return the names of the columns that the format writes with these settings.

        The simulation computes the measurands among them. Other names have no effect.
        """
        return settings.chosen() if isinstance(settings, RecordSettings) else ()

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
        """Return the payloads of a batch; their `starts` are those that the method `starts`
        returns.
        """

    def starts(self, batch: Batch) -> NDArray[np.intp]:
        """Return the first row of each payload of a batch, then the end."""
        rows = len(batch)
        if self.framing == "project":
            return batch.groups()
        if self.framing == "measurand":
            count = len(self.measurands)
            return np.arange(rows * count + 1) // count
        size = self.batch_size if self.framing == "batch" else 1
        if size == 1:
            return np.arange(rows + 1)
        return np.append(np.arange(0, rows, size), rows)

    def cuts(self, batch: Batch) -> NDArray[np.intp] | None:
        """Return the rows at which a batch may be divided for encoding; None: at any row.

        They ascend from 0 to the length of the batch.
        """
        return self.starts(batch) if self.framing in ("project", "batch") else None

    def example(self) -> str:
        """Return one message with typical values, for a user who checks a configuration.

        A format whose messages are well known returns an empty text.
        """
        return ""

    def encode_parts(self, batch: Batch, rows: int = PART_ROWS) -> Iterator[tuple[Batch, Payloads]]:
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
