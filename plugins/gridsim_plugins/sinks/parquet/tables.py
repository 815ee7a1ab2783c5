"""Batches as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.api import Batch, RecordColumn

if TYPE_CHECKING:
    import pyarrow


class ArrowColumns:
    """The columns of a batch as an Arrow table: texts as dictionaries, units as metadata."""

    def __init__(self, columns: Sequence[RecordColumn]) -> None:
        import pyarrow

        self._columns = columns
        kinds = {
            "text": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
            "boolean": pyarrow.bool_(),
            "time": pyarrow.timestamp("ms", tz="UTC"),
            "integer": pyarrow.int64(),
            "number": pyarrow.float64(),
        }
        self.schema: pyarrow.Schema = pyarrow.schema(
            pyarrow.field(
                one.name, kinds[one.kind], metadata={"unit": one.unit} if one.unit else None
            )
            for one in columns
        )
        self._texts = {
            one.name: pyarrow.array([text or "" for text in one.texts], pyarrow.string())
            for one in columns
            if one.kind == "text"
        }
        absent = {
            one.name: np.array([text is None for text in one.texts], np.bool_)
            for one in columns
            if one.kind == "text"
        }
        self._absent = {name: mask for name, mask in absent.items() if mask.any()}
        """The texts that a device does not have, for the columns with such devices."""

    def table(self, batch: Batch) -> pyarrow.Table:
        """Return the rows of a batch."""
        import pyarrow

        arrays = [self._array(one, batch) for one in self._columns]
        return pyarrow.Table.from_arrays(arrays, schema=self.schema)

    def _array(self, column: RecordColumn, batch: Batch) -> Any:
        import pyarrow

        values = column.values(batch)
        if column.kind == "text":
            absent = self._absent.get(column.name)
            mask = None if absent is None else absent[values]
            rows = pyarrow.array(values.astype(np.int32), mask=mask)
            return pyarrow.DictionaryArray.from_arrays(rows, self._texts[column.name])
        if column.kind == "time":
            return pyarrow.array(values).cast(pyarrow.timestamp("ms", tz="UTC"))
        if column.kind == "integer" and values.dtype == np.float64:
            absent = np.isnan(values)
            return pyarrow.array(np.where(absent, 0, values).astype(np.int64), mask=absent)
        return pyarrow.array(values, from_pandas=column.kind == "number")
