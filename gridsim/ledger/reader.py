"""The reader of a ledger; large tables are read as integer matrices."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.errors import UsageError
from gridsim.ledger.about import TransportNote
from gridsim.ledger.columns import NONE, Ints
from gridsim.ledger.file import is_ledger, read_only
from gridsim.ledger.past import PastReading, read_past
from gridsim.ledger.schema import VERSION
from gridsim.ledger.windows import ROWS, Unsent, Window, read_unsent, read_windows

_BLOCK = 500_000


class NotALedger(UsageError):  # noqa: N818 - describes the file
    """The file is not a ledger, or this version cannot read it."""


@dataclass(frozen=True, slots=True)
class FaultNote:
    id: str
    type: str
    of: str
    """Either "device" or "message"."""
    number: int
    """Its bit in labels, from the tick `since` until the tick `until`, None: the end."""
    since: int = 0
    until: int | None = None


@dataclass(frozen=True, slots=True)
class SettlementNote:
    """A settlement with the names of its event and project."""

    event: str
    project_id: str
    delivered_kwh: float
    violations: tuple[tuple[int, int], ...]
    """The start and end of each violation, UTC ms."""


class Reader:
    """A ledger in its state at the time of opening; a run may still write it. Call `close` after
    use.
    """

    def __init__(self, path: Path) -> None:
        """Open a ledger. Raises NotALedger."""
        self.path = path
        if not path.exists():
            raise NotALedger(f"{path}: error: there is no such file")
        if not is_ledger(path):
            raise NotALedger(f"{path}: error: the file is not a ledger of gridsim")
        try:
            self._connection = sqlite3.connect(read_only(path), uri=True)
            # One transaction, so that all queries see the same state.
            self._connection.execute("BEGIN")
            self.meta: dict[str, Any] = dict(self._connection.execute("SELECT * FROM meta"))
        except sqlite3.Error as error:
            raise NotALedger(f"{path}: error: the ledger cannot be read: {error}") from error
        if self.meta.get("version") != VERSION:
            self.close()
            raise NotALedger(
                f"{path}: error: the ledger has version {self.meta.get('version')}; "
                f"this gridsim reads version {VERSION}"
            )

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def complete(self) -> bool:
        """True if the run ended and wrote everything."""
        return bool(self.meta["complete"])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise NotALedger(f"{self.path}: error: the ledger cannot be read: {error}") from error

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query with few rows."""
        with self._reading(), closing(self._connection.execute(query)) as cursor:
            return cursor.fetchall()

    def each(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, a few at a time."""
        with self._reading():
            # Not `yield from`, which closes the cursor after the connection if it is left early.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row

    def matrices(self, query: str) -> Iterator[Ints]:
        """Yield the rows of a query of integers, int64[n, columns] each; NULL is NONE."""
        with self._reading(), closing(self._connection.execute(query)) as cursor:
            width = len(cursor.description)
            while True:
                values = chain.from_iterable(islice(cursor, _BLOCK))
                block = np.fromiter((NONE if v is None else v for v in values), np.int64)
                if not len(block):
                    return
                yield block.reshape(-1, width)

    def matrix(self, query: str) -> Ints:
        """Return all rows of a query of integers as one matrix."""
        blocks = list(self.matrices(query))
        if blocks:
            return np.concatenate(blocks)
        with closing(self._connection.execute(query)) as cursor:
            return np.empty((0, len(cursor.description)), np.int64)

    def windows(self, rows: int = ROWS) -> Iterator[Window]:
        """Yield the readings that were sent, in order, in windows of whole ticks.

        A window has at least one tick, and no more than `rows` readings if it has several.
        """
        with self._reading():
            yield from read_windows(self._connection, *self._times(), rows)

    def unsent(self) -> Unsent:
        """Return the readings that were never sent, because of faults."""
        with self._reading():
            return read_unsent(self._connection, *self._times())

    def past(self, device: int, first: int, last: int, budget_s: float) -> list[PastReading]:
        """Return the readings of a device that were sent in the ticks `first` to `last`, by tick.
        After about `budget_s` of reading the older ones are left out.
        """
        with self._reading():
            return read_past(self._connection, device, first, last, budget_s)

    def _times(self) -> tuple[int, int]:
        return self.meta["start_ms"], self.meta["tick_ms"]

    def transports(self) -> Sequence[TransportNote]:
        query = "SELECT name, type, format, format_settings, framing FROM transports"
        return [TransportNote(*row) for row in self.rows(f"{query} ORDER BY transport")]

    def device(self, der_id: str) -> int | None:
        """Return the number of a device; None if the ledger does not have it."""
        quoted = der_id.replace("'", "''")
        rows = self.rows(f"SELECT device FROM devices WHERE der_id = '{quoted}'")
        return rows[0][0] if rows else None

    def faults(self) -> Sequence[FaultNote]:
        query = "SELECT id, type, of, number, since, until FROM faults ORDER BY fault"
        return [FaultNote(*row) for row in self.rows(query)]

    def settlements(self) -> Sequence[SettlementNote]:
        violations: dict[int, list[tuple[int, int]]] = {}
        for key, start, end in self.rows("SELECT * FROM violations ORDER BY start_ms"):
            violations.setdefault(key, []).append((start, end))
        query = (
            "SELECT settlement, event, project_id, delivered_kwh "
            "FROM settlements JOIN projects USING (project) ORDER BY settlement"
        )
        return [
            SettlementNote(event, project, delivered, tuple(violations.get(key, ())))
            for key, event, project, delivered in self.rows(query)
        ]
