"""Columns of many millions of rows, of which there is no room for a second copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A column is made longer by this when it is full.
_GROWTH = 1.25


class Growing:
    """A column that comes in parts.

    It grows where it lies, and takes no room as long as it says the same in all rows.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._same: NDArray[Any] | None = None
        """What all rows say until now: one element, or none before the first row."""
        self._data: NDArray[Any] | None = None
        """The rows, with some more at the end; None while all say the same."""

    def append(self, part: NDArray[Any]) -> None:
        """Every part is of the same dtype."""
        if self._same is None or not len(self._same):
            self._same = part[:1].copy()
        rows = self._rows + len(part)
        if self._data is None and not (part == self._same).all():
            self._data = np.repeat(self._same, rows)
        if self._data is not None:
            if rows > len(self._data):
                # The system moves the pages of a large block, it does not copy them.
                self._data.resize(max(rows, int(len(self._data) * _GROWTH)), refcheck=False)
            self._data[self._rows : rows] = part
        self._rows = rows

    def whole(self) -> NDArray[Any]:
        """All rows, read-only if they are all the same; nothing can be appended after it."""
        if self._same is None:
            raise ValueError("a column without any part has no dtype")
        if self._data is None:
            return np.broadcast_to(self._same, self._rows) if self._rows else self._same
        self._data.resize(self._rows, refcheck=False)
        return self._data


def joined(parts: Iterable[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """The columns of parts that each have a piece of every column; at least one part."""
    columns: list[Growing] = []
    for part in parts:
        columns = columns or [Growing() for _ in part]
        for column, piece in zip(columns, part, strict=True):
            column.append(piece)
    return [column.whole() for column in columns]
