"""The conversion of columns to tables of pandas, polars and Arrow, imported when they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.simulator.column import TableColumn

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


def to_pandas(
    columns: Sequence[TableColumn], timezone: str, units: Mapping[str, str]
) -> pandas.DataFrame:
    """Return a DataFrame of pandas with a copy of the columns."""
    library = _imported("pandas", "to_pandas", "pandas")

    def converted(column: TableColumn) -> Any:
        plain = column.plain()
        if column.kind == "category":
            return library.Categorical.from_codes(plain, categories=column.categories)
        if column.kind == "time":
            times = library.DatetimeIndex(plain.view("datetime64[ms]"))
            return times.tz_localize("UTC").tz_convert(timezone)
        return plain

    frame: pandas.DataFrame = library.DataFrame(
        {column.name: converted(column) for column in columns}
    )
    frame.attrs["units"] = dict(units)
    return frame


def to_polars(columns: Sequence[TableColumn], timezone: str) -> polars.DataFrame:
    """Return a DataFrame of polars."""
    library = _imported("polars", "to_polars", "polars")

    def converted(column: TableColumn) -> Any:
        plain = column.plain()
        if column.kind == "category":
            categories = library.Series(column.categories, dtype=library.Categorical)
            return categories.gather(plain).alias(column.name)
        if column.kind == "time":
            times = library.Series(column.name, plain)
            zone = library.Datetime("ms", "UTC")
            return times.cast(zone).dt.convert_time_zone(timezone)
        if column.kind == "text":
            return library.Series(column.name, plain.tolist(), dtype=library.String)
        return library.Series(column.name, plain, nan_to_null=True)

    frame: polars.DataFrame = library.DataFrame([converted(column) for column in columns])
    return frame


def to_arrow(columns: Sequence[TableColumn], timezone: str) -> pyarrow.Table:
    """Return a table of pyarrow; the fields' metadata has the units."""
    library = _imported("pyarrow", "to_arrow", "arrow")

    def converted(column: TableColumn) -> Any:
        plain = column.plain()
        if column.kind == "category":
            texts = library.array(column.categories, library.string())
            return library.DictionaryArray.from_arrays(plain.astype(np.int32, copy=False), texts)
        if column.kind == "time":
            return library.array(plain.view("datetime64[ms]"), library.timestamp("ms", timezone))
        if column.kind == "text":
            return library.array(plain, library.string())
        return library.array(plain, from_pandas=True)

    arrays = [converted(column) for column in columns]
    fields = [
        library.field(
            column.name, array.type, metadata={"unit": column.unit} if column.unit else None
        )
        for column, array in zip(columns, arrays, strict=True)
    ]
    return library.table(arrays, schema=library.schema(fields))


def _imported(name: str, method: str, extra: str) -> Any:
    """Import a library that is not a dependency of gridsim.

    Raises ModuleNotFoundError, with the extra to install.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(
            f"{method}() needs {name}, which is not installed: pip install 'gridsim-der[{extra}]'",
            name=name,
        ) from None
