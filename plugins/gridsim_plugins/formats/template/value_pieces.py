"""The pieces that write the values of a column, with the constant texts around them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Floats
from gridsim.helpers.row_texts import Texts

_CACHED = 100_000
"""The number of steps of the last decimal, in each direction from 0, whose texts are cached."""


class Affixed(ABC):
    """A piece with the constant texts before and after it."""

    before = b""
    after = b""
    is_sealed = False
    """True if the affixes are left out with the value, so that no further text may join them."""
    _missing: bytes | None = b""

    @property
    def leaves_out(self) -> bool:
        """True if a missing value has no text, not even its affixes."""
        return self._missing is None

    def enclosed(self, text: bytes) -> bytes:
        return self.before + text + self.after

    @abstractmethod
    def texts(self, batch: Batch) -> Texts:
        """Return the text of each row, or the one text that all rows share."""


class FixedDecimals(Affixed):
    """Numbers with fixed decimals. The texts of numbers near 0 are cached, because they repeat."""

    def __init__(
        self,
        values: Callable[[Batch], Floats],
        digits: int,
        form: bytes,
        missing: bytes | None,
    ) -> None:
        """Create the piece; `form` encloses each number, None leaves a missing one out."""
        self._values = values
        self._scale = 10.0**digits
        self._form = form % f"%.{digits}f".encode()
        self._missing = missing
        size = 2 * _CACHED + 2
        self._texts: NDArray[np.object_] | None = None
        self._known = np.zeros(size, np.bool_)
        self._template = b""

    def texts(self, batch: Batch) -> Texts:
        if self._texts is None:
            self._texts = np.empty(2 * _CACHED + 2, np.object_)
            self._template = _escaped(self.before) + self._form + _escaped(self.after)
            self._texts[-1] = b"" if self._missing is None else self.enclosed(self._missing)
            self._known[-1] = True
        steps = np.rint(self._values(batch) * self._scale)
        near = np.abs(steps) <= _CACHED
        if near.all():
            return self._look_up(steps.astype(np.intp) + _CACHED)
        gap = ~np.isfinite(steps)
        index = np.where(near, steps, 0).astype(np.intp) + _CACHED
        index[gap] = len(self._known) - 1
        texts = self._look_up(index)
        for row in np.flatnonzero(~(near | gap)).tolist():
            texts[row] = self._template % (steps[row] / self._scale)
        return texts

    def _look_up(self, index: NDArray[np.intp]) -> list[bytes]:
        assert self._texts is not None
        known = self._known[index]
        if not known.all():
            new = np.unique(index[~known])
            numbers = ((new - _CACHED) / self._scale).tolist()
            self._texts[new] = [self._template % number for number in numbers]
            self._known[new] = True
        texts: list[bytes] = self._texts[index].tolist()
        return texts


class Shortest(Affixed):
    """Numbers without fixed decimals, each formatted."""

    def __init__(
        self,
        values: Callable[[Batch], Floats],
        write: Callable[[float], str],
        form: bytes,
        missing: bytes | None,
    ) -> None:
        self._values = values
        self._write = write
        self._form = form
        self._missing = missing

    def texts(self, batch: Batch) -> Texts:
        values = np.asarray(self._values(batch), np.float64) + 0.0
        gap = ~np.isfinite(values)
        missing = b"" if self._missing is None else self.enclosed(self._missing)
        if len(values) and gap.all():
            return missing
        template = _escaped(self.before) + self._form + _escaped(self.after)
        write = self._write
        texts = [template % write(value).encode() for value in values.tolist()]
        for row in np.flatnonzero(gap).tolist():
            texts[row] = missing
        return texts


class FewValues(Affixed):
    """A column with few distinct values in a batch: each is formatted once."""

    def __init__(
        self, values: Callable[[Batch], NDArray[Any]], write: Callable[[Any], bytes]
    ) -> None:
        self._values = values
        self._write = write

    def texts(self, batch: Batch) -> Texts:
        column = self._values(batch)
        if len(column) and (column == column[0]).all():
            return self.enclosed(self._write(column[0].item()))
        values = column.tolist()
        known = {value: self.enclosed(self._write(value)) for value in set(values)}
        return [known[value] for value in values]


class NamedValues(Affixed):
    """Numbers whose values have names: each value is written once in a batch."""

    def __init__(
        self,
        values: Callable[[Batch], Floats],
        write: Callable[[Floats], dict[float, bytes]],
        missing: bytes | None,
    ) -> None:
        self._values = values
        self._write = write
        self._missing = missing

    def texts(self, batch: Batch) -> Texts:
        values = self._values(batch)
        known = {one: self.enclosed(text) for one, text in self._write(values).items()}
        missing = b"" if self._missing is None else self.enclosed(self._missing)
        return [known.get(value, missing) for value in values.tolist()]


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
