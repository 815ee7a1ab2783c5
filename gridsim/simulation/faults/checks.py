"""The checks of the columns that fault plugins write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.errors import PluginError, failure, place_of
from gridsim.simulation.boundary import first_wrong, outside

# The years 1 to 9999: RFC 3339 has no others.
_TIMES = (-62_135_596_800_000, 253_402_300_799_999)
_LONGEST_MS = _TIMES[1]


def title(name: str) -> str:
    return f"the fault {name!r}"


class Checked:
    """The columns that a fault has written, each returned as an array of the right type.

    Every method raises PluginError, naming the fault and the device.
    """

    def __init__(
        self,
        name: str,
        ids: Sequence[str],
        member: NDArray[np.intp],
        columns: Any,
        inject: object,
    ) -> None:
        """Take the columns, which are attributes of an object.

        `ids` are those of all members, `member` has the member of each row. `inject` is the fault's
        method, whose place errors name.
        """
        self._name, self._ids, self._member, self._columns = title(name), ids, member, columns
        self._inject = inject

    def numbers(self, field: str, *, gaps: bool = False) -> NDArray[np.float64]:
        values = self._array(field, np.float64)
        return self._sound(field, values, outside(values, gaps=gaps))

    def extra(self, name: str) -> NDArray[np.float64]:
        """Return a further column, which the object has in its mapping `extra`."""
        values = self._array(name, np.float64, lambda: self._columns.extra[name])
        return self._sound(name, values, outside(values, gaps=True))

    def times(self, field: str) -> NDArray[np.int64]:
        values = self._array(field, np.int64)
        return self._sound(field, values, (values < _TIMES[0]) | (values > _TIMES[1]))

    def span(self, field: str) -> NDArray[np.int64]:
        values = self._array(field, np.int64)
        return self._sound(field, values, (values < 0) | (values > _LONGEST_MS))

    def among(self, field: str, last: int) -> NDArray[np.int8]:
        """Return whole numbers, which must be from 0 to `last`."""
        values = self._array(field, np.int64)
        return self._sound(field, values, (values < 0) | (values > last)).astype(np.int8)

    def flags(self, field: str) -> NDArray[np.bool_]:
        return self._array(field, np.bool_)

    def _array(self, field: str, dtype: Any, get: Callable[[], Any] | None = None) -> NDArray[Any]:
        try:
            given = np.asarray(getattr(self._columns, field) if get is None else get())
        except BaseException as error:
            raise failure(
                self._name,
                error,
                f"set {field} to a value that is not an array{place_of(self._inject)}",
            ) from error
        if given.shape != (len(self._member),):
            raise PluginError(
                f"{self._name} set {field} to shape {given.shape} for {len(self._member)} devices"
                f"{place_of(self._inject)}"
            )
        if not np.can_cast(given.dtype, dtype, "same_kind"):
            wrong = ""
            if given.dtype.kind in "OUS":
                ids = [self._ids[row] for row in self._member.tolist()]
                wrong = f": {first_wrong(given, ids)}"
            raise PluginError(
                f"{self._name} set {field} to type {given.dtype} instead of {np.dtype(dtype)}"
                f"{wrong}{place_of(self._inject)}"
            )
        return given.astype(dtype)

    def _sound(self, field: str, values: NDArray[Any], bad: NDArray[np.bool_]) -> NDArray[Any]:
        if bad.any():
            row = int(np.argmax(bad))
            device = self._ids[self._member[row]]
            raise PluginError(
                f"{self._name} set {field} = {values[row]} for {device}: this is not allowed"
                f"{place_of(self._inject)}"
            )
        return values
