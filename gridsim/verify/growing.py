"""Columns of many millions of rows, too large for a second copy in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A full column is extended by this factor.
_GROWTH = 1.25


class Growing:
    """A column that is built from parts.

    It grows in place. As long as all rows are equal, it stores a single element.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._same: NDArray[Any] | None = None
        """The value of all rows so far: one element, or none before the first row."""
        self._data: NDArray[Any] | None = None
        """The rows, with spare room at the end; None while all rows are equal."""

    def append(self, part: NDArray[Any]) -> None:
        """Append a part; every part has the same dtype."""
        if self._same is None or not len(self._same):
            self._same = part[:1].copy()
        rows = self._rows + len(part)
        if self._data is None and not (part == self._same).all():
            self._data = np.repeat(self._same, rows)
        if self._data is not None:
            if rows > len(self._data):
                # The system moves the pages of a large block instead of copying them.
                self._data.resize(max(rows, int(len(self._data) * _GROWTH)), refcheck=False)
            self._data[self._rows : rows] = part
        self._rows = rows

    def whole(self) -> NDArray[Any]:
        """Return all rows, read-only if all are equal; do not append afterwards."""
        if self._same is None:
            raise ValueError("a column without any part has no dtype")
        if self._data is None:
            return np.broadcast_to(self._same, self._rows) if self._rows else self._same
        self._data.resize(self._rows, refcheck=False)
        return self._data


def joined(parts: Iterable[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Join parts that each have a piece of every column; there must be at least one part."""
    columns: list[Growing] = []
    for part in parts:
        columns = columns or [Growing() for _ in part]
        for column, piece in zip(columns, part, strict=True):
            column.append(piece)
    return [column.whole() for column in columns]
