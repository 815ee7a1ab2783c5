"""The encoder of rows.

Constant fields of a device and frequent numbers are cached as text. A row is then one
`bytes.join` over a few texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from gridsim.contracts.batch import ATTRIBUTES, UNITS, Batch, Roster
from gridsim.contracts.measurands import MEASURANDS, codes_of, decimals_of
from gridsim.contracts.record import FIELDS, SEQUENCE, RecordField
from gridsim.contracts.rows.columns import Column, Decimals, Few, Formatted, Named
from gridsim.contracts.rows.constants import CONSTANTS, Constants, boolean
from gridsim.contracts.rows.layout import Affixes, RowLayout
from gridsim.helpers.row_texts import joined_rows
from gridsim.helpers.timestamps import rfc3339

# The highest power whose text is cached, kW: the texts of one field take at most 16 MB.
_CACHED_KW = 1000


class RowEncoder:
    """An encoder of batches to one text per row; not thread-safe."""

    def __init__(self, fields: Sequence[RecordField], roster: Roster, layout: RowLayout) -> None:
        self._roster = roster
        self._layout = layout
        first = fields[0].source
        # The first field may be left out of a row: the leading separator is then removed.
        self._first_may_miss = self._missing(first) is None and _may_miss(first)
        self._columns = self._make_columns([field.source for field in fields])

    def encode(self, batch: Batch) -> list[bytes]:
        """Return one text per row, in the order of the rows."""
        rows = joined_rows((column.texts(batch) for column in self._columns), len(batch))
        return self._open_rows(rows) if self._first_may_miss else rows

    def _open_rows(self, rows: list[bytes]) -> list[bytes]:
        opening, separator = self._layout.opening.encode(), self._layout.separator.encode()
        return [opening + row.removeprefix(separator) for row in rows]

    def _make_columns(self, names: Sequence[str]) -> list[Column]:
        columns: list[Column] = []
        block: list[tuple[str, Affixes]] = []
        for place, name in enumerate(names):
            affixes = self._affixes(place, len(names))
            if name in CONSTANTS and not self._is_column(name):
                block.append((name, affixes))
                continue
            if block:
                columns.append(Constants(block, self._roster, self._layout))
                block = []
            columns.append(self._column(name, affixes))
        if block:
            columns.append(Constants(block, self._roster, self._layout))
        return columns

    def _affixes(self, place: int, count: int) -> Affixes:
        layout = self._layout
        before = layout.separator if place or self._first_may_miss else layout.opening
        return Affixes(
            before + layout.prefixes[place], layout.closing if place == count - 1 else ""
        )

    def _column(self, name: str, affixes: Affixes) -> Column:
        match name:
            case "timestamp":
                return Few("timestamp_ms", affixes, lambda time: self._layout.quote(rfc3339(time)))
            case "is_online":
                return Few(name, affixes, boolean)
            case _ if name == SEQUENCE:
                return Few("tick", affixes, str)
            case "current_soc":
                missing = self._missing(name)
                return Decimals(name, affixes, digits=1, limit=100, missing=missing)
            case _ if name in FIELDS:
                return Decimals(name, affixes, digits=2, limit=_CACHED_KW, missing="nan")
            case _:
                unit, missing = self._roster.columns[name], self._missing(name)
                codes = codes_of(name, unit) if self._layout.codes == "text" else None
                if codes is not None:
                    quote = self._layout.quote
                    return Named(name, affixes, codes=codes, quote=quote, missing=missing)
                # The repr of a float is the shortest text that converts back to it.
                specification = "%a"
                if unit == UNITS or name in MEASURANDS:
                    specification = f"%.{decimals_of(name, unit)}f"
                return Formatted(name, affixes, specification=specification, missing=missing)

    def _is_column(self, name: str) -> bool:
        """Return whether a type declares a column with the name of an attribute."""
        return name in ATTRIBUTES and name in self._roster.columns

    def _missing(self, name: str) -> str | None:
        return self._layout.missing_soc if name == "current_soc" else self._layout.missing


def _may_miss(name: str) -> bool:
    return name == "current_soc" or name not in (*FIELDS, SEQUENCE)
