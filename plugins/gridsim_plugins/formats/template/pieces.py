"""The pieces of a message, each a column of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch
from gridsim.helpers.row_texts import Texts, joined_rows


class Piece(Protocol):
    """A part of every message."""

    def texts(self, batch: Batch) -> Texts:
        """Return the text of each row, or the one text that all rows share."""


class ConstantText:
    """A text that all messages share."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def texts(self, batch: Batch) -> Texts:
        return self._text


@dataclass(frozen=True, slots=True)
class SlowValue:
    """A column that rarely changes; its texts are kept for each device."""

    read: Callable[[Batch], NDArray[Any]]
    write: Callable[[list[Any]], list[bytes]]


class DeviceText:
    """A text for each device, which rarely changes.

    It joins adjacent constants, because joining more than ten parts of a message costs twice
    the time. The text of a device is made again when one of its slow values changes.
    """

    def __init__(
        self, parts: Sequence[bytes | Callable[[], list[bytes]] | SlowValue], devices: int
    ) -> None:
        self._parts = parts
        self._slow = [part for part in parts if isinstance(part, SlowValue)]
        self._values: list[NDArray[Any]] = []
        self._constants: dict[int, list[bytes]] = {}
        self._known = np.zeros(devices, np.bool_)
        self._texts = np.full(devices, None, np.object_)

    def texts(self, batch: Batch) -> Texts:
        device = batch.device
        values = [one.read(batch) for one in self._slow]
        if not self._values:
            self._values = [np.zeros(len(self._known), one.dtype) for one in values]
        stale = ~self._known[device]
        for new, kept in zip(values, self._values, strict=True):
            stale |= new != kept[device]
        texts = self._texts[device]
        if stale.any():
            rows = np.flatnonzero(stale)
            changed = device[rows]
            texts[rows] = self._texts[changed] = self._make(
                changed.tolist(), [one[rows] for one in values]
            )
            self._known[changed] = True
            for new, kept in zip(values, self._values, strict=True):
                kept[changed] = new[rows]
        made: list[bytes] = texts.tolist()
        return made

    def _make(self, devices: list[int], values: list[NDArray[Any]]) -> NDArray[np.object_]:
        slow = iter(values)
        columns: list[Iterable[bytes]] = []
        for place, part in enumerate(self._parts):
            if isinstance(part, bytes):
                columns.append(repeat(part))
            elif isinstance(part, SlowValue):
                columns.append(part.write(next(slow).tolist()))
            else:
                if place not in self._constants:
                    self._constants[place] = part()
                texts = self._constants[place]
                columns.append([texts[device] for device in devices])
        made = np.empty(len(devices), np.object_)
        made[:] = list(map(b"".join, zip(*columns, strict=False)))
        if not self._slow and self._known.sum() + len(devices) >= len(self._known):
            # The texts are not needed again.
            self._constants.clear()
        return made


class Optional:
    """Pieces that are left out where one of some columns has no value."""

    def __init__(
        self, pieces: Sequence[Piece], absent: Sequence[Callable[[Batch], NDArray[np.bool_]]]
    ) -> None:
        self._pieces = pieces
        self._absent = absent

    def texts(self, batch: Batch) -> Texts:
        texts = rows_of(self._pieces, batch)
        for column in self._absent:
            for row in np.flatnonzero(column(batch)).tolist():
                texts[row] = b""
        return texts


class AllOptional:
    """An object or array each of whose items, with a comma before it, may be left out."""

    def __init__(self, opening: bytes, pieces: Sequence[Piece], closing: bytes) -> None:
        self._opening, self._closing = opening, closing
        self._pieces = pieces

    def texts(self, batch: Batch) -> Texts:
        opening, closing = self._opening, self._closing
        return [opening + row[1:] + closing for row in rows_of(self._pieces, batch)]


class Repeated:
    """Pieces that are repeated for each row of a group, with commas between."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    def texts(self, batch: Batch) -> Texts:
        raise AssertionError("a repeated piece is encoded for a group of rows")

    def joined(self, batch: Batch, starts: NDArray[np.intp]) -> list[bytes]:
        """Return the text of each group."""
        rows = rows_of(self._pieces, batch)
        if all(rows):
            return [b",".join(rows[a:b]) for a, b in pairwise(starts.tolist())]
        return [b",".join(filter(None, rows[a:b])) for a, b in pairwise(starts.tolist())]


def rows_of(pieces: Iterable[Piece], batch: Batch) -> list[bytes]:
    """Return the joined pieces of each row."""
    return joined_rows((piece.texts(batch) for piece in pieces), len(batch))


def groups_of(pieces: Iterable[Piece], batch: Batch, starts: NDArray[np.intp]) -> list[bytes]:
    """Return the joined pieces of each group of rows: of its first row, unless it is repeated."""
    firsts = starts[:-1].tolist()

    def columns() -> Iterable[Texts]:
        for piece in pieces:
            if isinstance(piece, Repeated):
                yield piece.joined(batch, starts)
                continue
            texts = piece.texts(batch)
            yield texts if isinstance(texts, bytes) else [texts[row] for row in firsts]

    return joined_rows(columns(), len(firsts))
