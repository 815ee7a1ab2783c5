"""The texts of fields that change from tick to tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Batch
from gridsim.contracts.codes import Codes
from gridsim.contracts.rows.layout import Affixes
from gridsim.helpers.randomness import Floats
from gridsim.helpers.row_texts import Texts


class Column(Protocol):
    """A part of every row."""

    def texts(self, batch: Batch) -> Texts:
        """Return the text of each row, or the one text that all rows share."""


class Few:
    """A field with few distinct values in a batch: each value is formatted once."""

    def __init__(self, name: str, affixes: Affixes, write: Callable[[Any], str]) -> None:
        self._name = name
        self._affixes = affixes
        self._write = write

    def texts(self, batch: Batch) -> Texts:
        column = getattr(batch, self._name)
        if len(column) and (column == column[0]).all():
            return self._text(column[0].item())
        values = column.tolist()
        known = {value: self._text(value) for value in set(values)}
        return [known[value] for value in values]

    def _text(self, value: Any) -> bytes:
        return self._affixes.text(self._write(value))


class Decimals:
    """A field rounded to some decimals, whose texts are cached because values repeat.

    Formatting a float takes ten times as long as looking up its text by the number of
    hundredths. Only values up to `limit` are cached, which bounds the memory.
    """

    def __init__(
        self, name: str, affixes: Affixes, *, digits: int, limit: int, missing: str | None
    ) -> None:
        self._name = name
        self._template = affixes.template(f"%.{digits}f")
        self._scale = 10**digits
        self._limit = limit
        self._zero = limit * self._scale
        self._missing = 2 * self._zero + 1
        self._texts = np.empty(self._missing + 1, np.object_)
        self._known = np.zeros(self._missing + 1, np.bool_)
        self._texts[self._missing] = affixes.missing(missing)
        self._known[self._missing] = True

    def texts(self, batch: Batch) -> list[bytes]:
        values: Floats = getattr(batch, self._name)
        near = np.abs(values) <= self._limit
        if near.all():
            return self._look_up(self._index(values))
        gap = np.isnan(values)
        index = self._index(np.where(near, values, 0.0))
        index[gap] = self._missing
        texts = self._look_up(index)
        for row in np.flatnonzero(~(near | gap)).tolist():
            texts[row] = self._template % values[row]
        return texts

    def _index(self, values: Floats) -> NDArray[np.intp]:
        index: NDArray[np.intp] = np.rint(values * self._scale).astype(np.intp) + self._zero
        return index

    def _look_up(self, index: NDArray[np.intp]) -> list[bytes]:
        unknown = ~self._known[index]
        if unknown.any():
            new = np.unique(index[unknown])
            numbers = ((new - self._zero) / self._scale).tolist()
            self._texts[new] = [self._template % number for number in numbers]
            self._known[new] = True
        texts: list[bytes] = self._texts[index].tolist()
        return texts


class Named:
    """A further column whose values have names: each value is written once in a batch."""

    def __init__(
        self,
        name: str,
        affixes: Affixes,
        *,
        codes: Codes,
        quote: Callable[[str], str],
        missing: str | None,
    ) -> None:
        self._name = name
        self._affixes = affixes
        self._codes = codes
        self._quote = quote
        self._missing = affixes.missing(missing)

    def texts(self, batch: Batch) -> Texts:
        values = batch.extra[self._name]
        names = self._codes.texts(values).items()
        known = {value: self._affixes.text(self._quote(text)) for value, text in names}
        return [known.get(value, self._missing) for value in values.tolist()]


class Formatted:
    """A further column, neither rounded nor bounded: each value is formatted."""

    def __init__(
        self, name: str, affixes: Affixes, *, specification: str, missing: str | None
    ) -> None:
        self._name = name
        self._template = affixes.template(specification)
        self._missing = affixes.missing(missing)

    def texts(self, batch: Batch) -> Texts:
        values = batch.extra[self._name]
        gap = np.isnan(values)
        if len(values) and gap.all():
            return self._missing
        texts = [self._template % value for value in values.tolist()]
        for row in np.flatnonzero(gap).tolist():
            texts[row] = self._missing
        return texts
