"""A column of a table: its values, their unit, and their forms in other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

ColumnKind = Literal["number", "integer", "boolean", "category", "text", "time"]


@dataclass(frozen=True, slots=True, eq=False)
class TableColumn:
    """A named column of a table."""

    name: str
    kind: ColumnKind
    values: NDArray[Any]
    """float64, int64, bool, codes of categories as int32, texts as objects, or UTC ms as int64."""
    unit: str = ""
    rows: NDArray[np.integer[Any]] | None = None
    """The index into `values` for each row of the table; None if `values` has one entry per row."""
    categories: Sequence[str] = ()
    """The texts of the category codes."""

    def __len__(self) -> int:
        return len(self.values if self.rows is None else self.rows)

    def plain(self, part: slice = slice(None)) -> NDArray[Any]:
        """Return the values of some rows, in the type of `values`."""
        return self.values[part] if self.rows is None else self.values[self.rows[part]]

    def array(self) -> NDArray[Any]:
        """Return the values as a NumPy array: texts as objects, times as datetime64[ms] in UTC."""
        plain = self.plain()
        if self.kind == "time":
            plain = plain.view("datetime64[ms]")
        elif self.kind == "category":
            plain = np.array(self.categories, object)[plain]
        if plain.base is None and plain.flags.writeable:
            plain.flags.writeable = False
        return plain

    def objects(self, zone: ZoneInfo, part: slice = slice(None)) -> list[Any]:
        """Return the values of some rows as Python objects, with None for missing values."""
        plain = self.plain(part)
        if self.kind == "category":
            return [self.categories[code] for code in plain.tolist()]
        if self.kind == "time":
            times, places = np.unique(plain, return_inverse=True)
            moments = [moment(time, zone) for time in times.tolist()]
            return [moments[place] for place in places.tolist()]
        values: list[Any] = plain.tolist()
        if self.kind == "number" and (nothing := np.isnan(plain)).any():
            for place in np.flatnonzero(nothing).tolist():
                values[place] = None
        return values

    @property
    def nbytes(self) -> int:
        """The memory of the rows, without the values that are stored once per device."""
        return int(self.values.nbytes) if self.rows is None else 0


def moment(time_ms: int, zone: ZoneInfo) -> datetime:
    """Return a time as a datetime in a zone."""
    return (
        datetime.fromtimestamp(time_ms // 1000, UTC)
        .replace(microsecond=time_ms % 1000 * 1000)
        .astimezone(zone)
    )
