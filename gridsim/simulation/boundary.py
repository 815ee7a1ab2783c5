"""The check of every array that a plugin hands to the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.errors import PluginError, place_of, printable

LARGEST: Final = 1e12
"""The largest magnitude of a value: far above that of any device, and too small for rounding to
overflow.
"""
_LONGEST = 80
# A sum may be below zero by the rounding of its terms.
_ROUNDING = 1e-9


def outside(values: Floats, *, gaps: bool = False) -> NDArray[np.bool_]:
    """Return a mask of the values that are not finite or exceed 1e12; `gaps` allows NaN."""
    size = np.abs(values)
    bad: NDArray[np.bool_] = size > LARGEST if gaps else ~(size <= LARGEST)
    return bad


def shown(value: object) -> str:
    """Return a plugin's value for a message: its type, and its beginning."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"(its repr failed: {type(error).__name__})"
    if value is None:
        return "None"
    return printable(f"{type(value).__name__} {text[:_LONGEST]}{'...' * (len(text) > _LONGEST)}")


def checked(
    plugin: str,
    name: str,
    values: Any,
    ids: Sequence[str],
    *,
    gaps: bool = False,
    each: str = "device",
    least: float = -LARGEST,
    most: float = LARGEST,
    unit: str = "",
    by: object = None,
) -> Floats:
    """Return a plugin's result as float64, with one value for each of `ids`.

    `plugin` and `name` are the names of the plugin and of the value for errors; `each` is the
    noun for one of the ids. `gaps` allows NaN; `least` and `most` are limits in `unit`. `by` is the
    plugin's method, whose place errors name. Raises PluginError if it does not hold numbers, if the
    shape is wrong, or if a value is not finite or beyond the limits.
    """
    if type(values) is np.ndarray and values.dtype == np.float64:
        array = values
    else:
        array = _numbers(plugin, name, values, ids, by)
    if array.shape != (len(ids),):
        raise PluginError(
            f"{plugin} returned {name} of shape {array.shape} for {len(ids)} {each}s: it must be "
            f"an array with one value for each{place_of(by)}"
        )
    if all_within(array, least, most):
        return array
    bad = outside(array, gaps=gaps)
    if bad.any():
        row = int(np.argmax(bad))
        raise PluginError(
            f"{plugin} returned {name} = {array[row]} for {ids[row]}: a value must be finite and "
            f"at most {LARGEST:g}{place_of(by)}"
        )
    beyond = (array < least - _ROUNDING) | (array > most)
    if beyond.any():
        row = int(np.argmax(beyond))
        if least == 0.0 and array[row] < 0.0:
            limits = "not be negative"
        else:
            limits = f"be from {least:g} to {most:g} {unit}".rstrip()
        raise PluginError(
            f"{plugin} returned {name} = {array[row]:g} for {ids[row]}: it must {limits}"
            f"{place_of(by)}"
        )
    return array


def first_wrong(values: Any, ids: Sequence[str]) -> str:
    """Return the first value that is not a number, with its device or site; else all of them."""
    try:
        each = values.tolist() if isinstance(values, np.ndarray) else values
        if isinstance(each, list | tuple) and len(each) == len(ids):
            for value, id in zip(each, ids, strict=True):
                if isinstance(value, bool) or not isinstance(value, float | int):
                    return f"{shown(value)} for {id}"
    except Exception:  # An array-like object of the plugin may fail in any way.
        return shown(values)
    return shown(values)


def all_within(array: Floats, least: float, most: float) -> bool:
    """Return true if all values are certainly finite and within the limits.

    In every tick this sees tens of arrays, so it takes as few passes as possible.
    """
    if least == -most:
        return bool(np.count_nonzero(np.abs(array) <= most) == array.size)
    if not array.size:
        return True
    # The comparison of a NaN is false.
    return bool(
        np.minimum.reduce(array, axis=None) >= least and np.maximum.reduce(array, axis=None) <= most
    )


def _numbers(plugin: str, name: str, values: Any, ids: Sequence[str], by: object) -> Floats:
    """Return real numbers as float64. Text, objects, booleans and masked values are rejected."""
    try:
        array = np.asarray(values)
    except Exception:
        array = None
    if array is None or array.dtype.kind not in "fiu":
        of = "" if array is None or not array.ndim else f" of type {array.dtype}"
        raise PluginError(
            f"{plugin} returned {name} that is not numeric{of}: {first_wrong(values, ids)}; "
            f"it must be an array of float64{place_of(by)}"
        )
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise PluginError(
            f"{plugin} returned {name} with masked values: it must be complete{place_of(by)}"
        )
    return array.astype(np.float64)
