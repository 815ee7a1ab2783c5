"""Puts rows together from pieces.

What a device says again and again is kept as text, and so are numbers; a row is then one
`bytes.join` over a few pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from gridsim.contracts.batch import UNITS, Batch, Roster
from gridsim.contracts.record import FIELDS, SEQUENCE, RecordField
from gridsim.contracts.rows.columns import Column, Decimals, Few, Formatted
from gridsim.contracts.rows.constants import CONSTANTS, Constants, boolean
from gridsim.contracts.rows.layout import Around, RowLayout
from gridsim.helpers.timestamps import rfc3339

# Texts are kept of powers up to this, kW: one field's take 16 MB if all of them appear.
_KEPT_KW = 1000


class RowEncoder:
    """Encodes batches row by row. Not for use by two threads at once."""

    def __init__(self, fields: Sequence[RecordField], roster: Roster, layout: RowLayout) -> None:
        self._roster = roster
        self._layout = layout
        first = fields[0].source
        # Whatever comes first may be left out: then the separator has to be taken off the row.
        self._headless = self._missing(first) is None and _may_miss(first)
        self._columns = self._make_columns([field.source for field in fields])

    def encode(self, batch: Batch) -> list[bytes]:
        """One text per row, in the order of the rows."""
        pieces: list[Iterable[bytes]] = []
        common = b""
        for column in self._columns:
            texts = column.texts(batch)
            if isinstance(texts, bytes):
                common += texts
                continue
            if common:
                pieces.append(repeat(common))
                common = b""
            pieces.append(texts)
        if common or not pieces:
            pieces.append(repeat(common, len(batch)))
        rows = list(map(b"".join, zip(*pieces, strict=False)))
        return self._behead(rows) if self._headless else rows

    def _behead(self, rows: list[bytes]) -> list[bytes]:
        opening, separator = self._layout.opening.encode(), self._layout.separator.encode()
        return [opening + row.removeprefix(separator) for row in rows]

    def _make_columns(self, names: Sequence[str]) -> list[Column]:
        columns: list[Column] = []
        block: list[tuple[str, Around]] = []
        for place, name in enumerate(names):
            around = self._around(place, len(names))
            if name in CONSTANTS:
                block.append((name, around))
                continue
            if block:
                columns.append(Constants(block, self._roster, self._layout))
                block = []
            columns.append(self._column(name, around))
        if block:
            columns.append(Constants(block, self._roster, self._layout))
        return columns

    def _around(self, place: int, count: int) -> Around:
        layout = self._layout
        before = layout.separator if place or self._headless else layout.opening
        return Around(before + layout.prefixes[place], layout.closing if place == count - 1 else "")

    def _column(self, name: str, around: Around) -> Column:
        match name:
            case "timestamp":
                return Few("timestamp_ms", around, lambda time: self._layout.quote(rfc3339(time)))
            case "is_online":
                return Few(name, around, boolean)
            case _ if name == SEQUENCE:
                return Few("tick", around, str)
            case "current_soc":
                missing = self._missing(name)
                return Decimals(name, around, digits=1, limit=100, missing=missing)
            case _ if name in FIELDS:
                return Decimals(name, around, digits=2, limit=_KEPT_KW, missing="nan")
            case _:
                # The shortest text that gives the same float back is its repr.
                specification = "%.2f" if self._roster.columns[name] == UNITS else "%a"
                missing = self._missing(name)
                return Formatted(name, around, specification=specification, missing=missing)

    def _missing(self, name: str) -> str | None:
        return self._layout.missing_soc if name == "current_soc" else self._layout.missing


def _may_miss(name: str) -> bool:
    return name == "current_soc" or name not in (*FIELDS, SEQUENCE)
