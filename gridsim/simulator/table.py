"""Tables: named columns with units, and their conversion to pandas, polars and Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from numpy.typing import NDArray

from gridsim.contracts.hints import choose_from
from gridsim.simulator import conversion
from gridsim.simulator.column import TableColumn
from gridsim.simulator.showing import table_html, table_text

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


class ColumnTable:
    """A table of named columns with units, all of the same length. It does not change.

        table.columns["current_output"]   # one column, a NumPy array
        table.units["current_output"]     # "kW"
        table.to_pandas()                 # also to_polars, to_arrow, to_dicts

    Times are aware of the zone of `[site]`, apart from the arrays of `columns`: NumPy has no
    zones, and times there are UTC. Power is in kW, energy in kWh, state of charge in %.

    A table is an Arrow stream (`__arrow_c_stream__`), so that `polars.DataFrame(table)`,
    `pyarrow.table(table)` and a query of DuckDB accept it directly. That needs pyarrow.
    """

    timezone: str
    """The IANA name of the zone of the times."""

    def __init__(self, columns: Sequence[TableColumn], timezone: str) -> None:
        """Make a table of these columns; `timezone` is an IANA name."""
        self._columns = tuple(columns)
        self._zone = ZoneInfo(timezone)
        self.timezone = timezone

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns[0])

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The columns by name, each a read-only NumPy array with an entry per row.

        Numbers are float64 with NaN where there is no value, texts are objects, and times are
        datetime64[ms], UTC. Text columns are made at each access.
        """
        return _Arrays({column.name: column for column in self._columns})

    @property
    def units(self) -> Mapping[str, str]:
        """The units of the columns that have one, for example {"current_output": "kW"}."""
        return MappingProxyType({one.name: one.unit for one in self._columns if one.unit})

    @property
    def nbytes(self) -> int:
        """The memory of the rows, in bytes."""
        shared = {id(one.rows): one.rows.nbytes for one in self._columns if one.rows is not None}
        return sum(column.nbytes for column in self._columns) + sum(shared.values())

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a copy of the data.

        Ids and types are categorical, and times are datetime64[ms] with the zone. `attrs["units"]`
        has the units. Needs the extra `pandas`: pip install 'gridsim-der[pandas]'.
        """
        return conversion.to_pandas(self._columns, self.timezone, dict(self.units))

    def to_polars(self) -> polars.DataFrame:
        """Return a polars DataFrame; ids and types are categorical, absent numbers are null.

        Needs the extra `polars`: pip install 'gridsim-der[polars]'.
        """
        return conversion.to_polars(self._columns, self.timezone)

    def to_arrow(self) -> pyarrow.Table:
        """Return a pyarrow Table; the metadata of each field has its `unit`.

        Ids and types are dictionary-encoded, absent numbers are null. Needs the extra `arrow`:
        pip install 'gridsim-der[arrow]'.
        """
        return conversion.to_arrow(self._columns, self.timezone)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dict for each row, with datetimes for times and None for absent numbers."""
        names = [column.name for column in self._columns]
        values = [column.objects(self._zone) for column in self._columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the table as an Arrow C stream; needs pyarrow."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return table_text(type(self).__name__, self._columns, self._zone)

    def _repr_html_(self) -> str:
        """Return the first and last rows as HTML, for a notebook."""
        return table_html(type(self).__name__, self._columns, self._zone)


class _Arrays(Mapping[str, NDArray[Any]]):
    """The arrays of columns, made on request."""

    def __init__(self, columns: Mapping[str, TableColumn]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        column = self._columns.get(name)
        if column is None:
            raise KeyError(unknown_column(name, list(self._columns)))
        return column.array()

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<columns: {', '.join(self._columns)}>"


def unknown_column(name: object, known: Sequence[str]) -> str:
    """Return the message about an unknown column name."""
    return f"there is no column {name!r}{choose_from(str(name), known)}"
