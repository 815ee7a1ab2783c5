"""Rows in the binary format of COPY, made column by column.

The format is in the PostgreSQL manual, chapter COPY, section "Binary Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, RecordColumn

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_EPOCH_MS: Final = 946_684_800_000
"""2000-01-01 UTC, from which PostgreSQL counts, in ms since 1970."""

Bytes = NDArray[np.uint8]


class BinaryRows:
    """An encoder of batches to the data of COPY ... FROM STDIN (FORMAT BINARY).

    Each column becomes a matrix of bytes with a row for each reading, as wide as its longest
    value, and a mask of the bytes that count.
    """

    def __init__(self, columns: Sequence[RecordColumn], types: Sequence[str]) -> None:
        """Prepare the columns. `types` are the names of their types in the table, as in `TYPES`."""
        self._columns = [_encoder(*pair) for pair in zip(columns, types, strict=True)]
        self._count = np.frombuffer(len(columns).to_bytes(2, "big"), np.uint8)

    def encode(self, batch: Batch) -> bytes:
        """Return the data of all rows, with header and trailer."""
        rows = len(batch)
        parts = [np.broadcast_to(self._count, (rows, 2))]
        masks = [np.ones((rows, 2), np.bool_)]
        for column in self._columns:
            data, mask = column(batch)
            parts.append(data)
            masks.append(mask)
        body: Bytes = np.concatenate(parts, axis=1)[np.concatenate(masks, axis=1)]
        return b"".join((_HEADER, body.tobytes(), _TRAILER))


def _encoder(column: RecordColumn, type: str) -> Any:
    if column.kind == "text":
        return _Texts(column)
    return _Numbers(column, type)


class _Numbers:
    """The encoder of a column of fixed width; NaN is NULL."""

    def __init__(self, column: RecordColumn, type: str) -> None:
        self._values = column.values
        self._is_time = column.kind == "time"
        self._dtype = np.dtype(_DTYPES[type])
        width = self._dtype.itemsize
        self._length = np.frombuffer(width.to_bytes(4, "big"), np.uint8)

    def __call__(self, batch: Batch) -> tuple[Bytes, NDArray[np.bool_]]:
        values = self._values(batch)
        rows, width = len(values), self._dtype.itemsize
        present = np.ones(rows, np.bool_)
        if self._is_time:
            values = (values - _EPOCH_MS) * 1000
        elif values.dtype == np.float64:
            present = ~np.isnan(values)
            values = np.where(present, values, 0.0)
        data = np.empty((rows, 4 + width), np.uint8)
        data[:, :4] = np.where(present[:, None], self._length, 255)  # -1: NULL
        data[:, 4:] = values.astype(self._dtype).view(np.uint8).reshape(rows, width)
        mask = np.ones((rows, 4 + width), np.bool_)
        mask[:, 4:] = present[:, None]
        return data, mask


class _Texts:
    """The encoder of a column of texts: each text is encoded once."""

    def __init__(self, column: RecordColumn) -> None:
        self._values = column.values
        bodies = [None if text is None else text.encode() for text in column.texts]
        width = max((len(body) for body in bodies if body is not None), default=0)
        self._data = np.zeros((len(bodies), 4 + width), np.uint8)
        self._mask = np.zeros((len(bodies), 4 + width), np.bool_)
        for row, body in enumerate(bodies):
            size = -1 if body is None else len(body)
            field = size.to_bytes(4, "big", signed=True) + (body or b"")
            self._data[row, : len(field)] = np.frombuffer(field, np.uint8)
            self._mask[row, : len(field)] = True

    def __call__(self, batch: Batch) -> tuple[Bytes, NDArray[np.bool_]]:
        rows = self._values(batch)
        return self._data[rows], self._mask[rows]


_DTYPES: Final = {
    "bool": ">i1",
    "int8": ">i8",
    "float4": ">f4",
    "float8": ">f8",
    "timestamp": ">i8",
    "timestamptz": ">i8",
}
TYPES: Final = {
    "text": ("text", "varchar", "bpchar"),
    "boolean": ("bool",),
    "time": ("timestamptz", "timestamp"),
    "integer": ("int8", "float8"),
    "number": ("float8", "float4"),
}
"""The types that a column of each kind may have in the table; the first is that of a new table."""
