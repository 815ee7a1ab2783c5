"""The conversion of a user's values to integers, which can be compared exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int32]

ABSENT: Final = -(2**31)
"""The value is missing or cannot be read."""
NULL: Final = ABSENT + 1
"""The value is null."""
NO_TIME: Final = -(2**63)
_LARGEST = 2**31 - 2
_BEYOND = 2**63 - 1
# The unit of an epoch number is found by its size: below each bound it is s, ms, us, ns.
_UNITS = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (math.inf, 1e-6))
_NULLS = (None, "null", "", "NULL", "None", "nan", "NaN")


def small(values: Ints, none: int) -> Small:
    """Convert to int32, limited to 21 million kW; `none` becomes NULL."""
    result = np.clip(values, -_LARGEST, _LARGEST).astype(np.int32)
    result[values == none] = NULL
    return result


def numbers(values: Sequence[Any], factor: int, *, text: bool) -> Small:
    """Convert numbers to hundredths or tenths; with `text`, they may be written as text."""
    if set(map(type, values)) <= {float, int}:
        with suppress(OverflowError):  # an integer may be larger than every float
            array = np.array(values, np.float64)
            if np.isfinite(array).all():
                return _scaled(array, factor)
    return np.array([_number(value, factor, text) for value in values], np.int32)


def _scaled(array: NDArray[np.float64], factor: int) -> Small:
    return np.clip(np.rint(array * factor), -_LARGEST, _LARGEST).astype(np.int32)


def _number(value: Any, factor: int, text: bool) -> int:
    if type(value) not in (int, float):
        if isinstance(value, str) and text:
            try:
                value = float(value)
            except ValueError:
                return NULL if value in _NULLS else ABSENT
        elif value is None or value == "null":
            return NULL
        elif type(value).__name__ == "Decimal":
            value = float(value)
        else:
            return ABSENT
    try:
        number = float(value) * factor
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    return NULL if math.isnan(number) else round(max(-_LARGEST, min(_LARGEST, number)))


def booleans(values: Sequence[Any], *, text: bool) -> Small:
    """Convert booleans to 0 and 1; with `text`, they may be written as text."""
    truths = {True: 1, False: 0}
    texts = {"true": 1, "false": 0, "t": 1, "f": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}

    def one(value: Any) -> int:
        if value is True or value is False:
            return truths[value]
        if text:
            return texts.get(str(value).lower(), ABSENT)
        return ABSENT

    return np.array([one(value) for value in values], np.int32)


def integers(values: Sequence[Any], *, text: bool) -> Ints:
    """Convert counts such as `seq`; -1 if there is none."""

    def one(value: Any) -> int:
        if text and isinstance(value, str):
            try:
                value = float(value)  # some programs write a column with gaps as 3.0
            except ValueError:
                return -1
        if type(value) is float and value.is_integer():
            value = int(value)
        return value if type(value) is int and 0 <= value < _BEYOND else -1

    return np.array([one(value) for value in values], np.int64)


def clock(*, text: bool) -> Callable[[Any], int]:
    """Return a function that converts a time to ms since 1970, UTC; NO_TIME if it is invalid.

    The function caches results up to a limit, because the readings of a tick have the same time.
    """
    known: dict[Any, int] = {}

    def read(value: Any) -> int:
        try:
            found = known.get(value)
        except TypeError:  # for example a list
            return NO_TIME
        if found is None:
            found = _time(value, text)
            if len(known) > 100_000:
                known.clear()
            known[value] = found
        return found

    return read


def _time(value: Any, text: bool) -> int:
    if isinstance(value, bool):
        return NO_TIME
    if isinstance(value, datetime):
        return _ms(value)
    if isinstance(value, str):
        try:
            return _ms(datetime.fromisoformat(value))
        except ValueError:
            if not text:
                return NO_TIME
    elif not text or not isinstance(value, int | float):
        return NO_TIME
    try:
        value = float(value)
    except (ValueError, OverflowError):
        return NO_TIME
    if not math.isfinite(value):
        return NO_TIME
    found = round(value * next(factor for below, factor in _UNITS if abs(value) < below))
    return found if abs(found) < _BEYOND else NO_TIME


def _ms(time: datetime) -> int:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round((aware - _EPOCH).total_seconds() * 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
