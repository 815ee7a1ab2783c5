"""The conversion of a user's values to integers, which can be compared exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Integer = TypeVar("Integer", np.int32, np.int64)
Ints = NDArray[np.int64]
Small = NDArray[np.int32]

ABSENT: Final = -(2**31)
"""The value is missing or cannot be read."""
NULL: Final = ABSENT + 1
"""The value is null."""
_LARGEST = 2**31 - 2
_BEYOND = 2**63 - 1
_NULLS = ("null", "", "none", "nan", "na", "n/a", "<na>", "\\n")
# Spreadsheets write booleans in the language of their user.
_TRUE = (
    "true", "t", "yes", "y", "on", "1", "1.0", "wahr", "vrai", "verdadero", "verdadeiro", "vero",
    "waar", "prawda", "sant",
)  # fmt: skip
_FALSE = (
    "false", "f", "no", "n", "off", "0", "0.0", "falsch", "faux", "falso", "onwaar", "fałsz",
    "falskt",
)  # fmt: skip
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-"})


def small(values: Ints, none: int) -> Small:
    """Convert to int32, limited to 21 million kW; `none` becomes NULL."""
    result = np.clip(values, -_LARGEST, _LARGEST).astype(np.int32)
    result[values == none] = NULL
    return result


def numbers(values: Sequence[Any], factor: float, *, text: bool) -> Small:
    """Convert numbers to hundredths or tenths; with `text`, they may be written as text."""
    if set(map(type, values)) <= {float, int}:
        with suppress(OverflowError):  # an integer may be larger than every float
            array = np.array(values, np.float64)
            if np.isfinite(array).all():
                return scaled(array, factor)
    return converted(values, lambda value: _number(value, factor, text), np.int32)


def converted(
    values: Sequence[Any], convert: Callable[[Any], int], kind: type[Integer]
) -> NDArray[Integer]:
    """Convert values one by one; equal texts are converted once, because most are repeated."""
    if set(map(type, values)) == {str}:
        table = {value: convert(value) for value in set(values)}
        return np.fromiter(map(table.__getitem__, values), kind, len(values))
    return np.array([convert(value) for value in values], kind)


def scaled(array: NDArray[np.float64], factor: float) -> Small:
    """Return finite numbers times a factor, as integers."""
    return np.clip(np.rint(array * factor), -_LARGEST, _LARGEST).astype(np.int32)


def _number(value: Any, factor: float, text: bool) -> int:
    if value is None or value == "null":
        return NULL
    if isinstance(value, str) and text:
        stripped = value.strip().translate(_MINUS)
        if stripped.lower() in _NULLS:
            return NULL
        try:
            # Python's own number syntax has underscores; no export does.
            value = float(stripped) if "_" not in stripped else None
        except ValueError:
            return ABSENT
    elif type(value).__name__ == "Decimal":
        value = float(value)
    if type(value) not in (int, float):
        return ABSENT
    try:
        number = float(value) * factor
    except OverflowError:
        return ABSENT
    if math.isnan(number):
        return NULL
    if math.isinf(number):
        return ABSENT
    return round(max(-_LARGEST, min(_LARGEST, number)))


def booleans(values: Sequence[Any], *, text: bool) -> Small:
    """Convert booleans to 0 and 1; with `text`, they may be written as text or as numbers."""
    if set(map(type, values)) == {bool}:
        return np.array(values, np.int32)

    def one(value: Any) -> int:
        if type(value) is bool:
            return int(value)
        if not text:
            return ABSENT
        word = str(value).strip().lower()
        return 1 if word in _TRUE else 0 if word in _FALSE else ABSENT

    return converted(values, one, np.int32)


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

    if set(map(type, values)).isdisjoint((str, float, int)):
        return np.full(len(values), -1, np.int64)
    return np.array([one(value) for value in values], np.int64)
