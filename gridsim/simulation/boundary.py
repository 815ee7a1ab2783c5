"""The check of every array that a plugin hands to the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.errors import PluginError, printable

LARGEST: Final = 1e12
"""The largest magnitude of a value: far above any device, and far below where rounding
overflows."""
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
    negative: bool = True,
) -> Floats:
    """Return a plugin's result as float64, with one value for each of `ids`.

    `plugin` and `name` are the names of the plugin and of the value for errors; `each` is the
    noun for one of the ids. `gaps` allows NaN, `negative` values below zero. Raises PluginError if
    it does not hold numbers, if the shape is wrong, or if a value is not finite, exceeds 1e12 or
    is negative.
    """
    if type(values) is np.ndarray and values.dtype == np.float64:
        array = values
    else:
        array = _numbers(plugin, name, values)
    if array.shape != (len(ids),):
        raise PluginError(
            f"{plugin} returned {name} of shape {array.shape} for {len(ids)} {each}s: it must be "
            f"an array with one value for each"
        )
    bad = outside(array, gaps=gaps)
    if bad.any():
        row = int(np.argmax(bad))
        raise PluginError(
            f"{plugin} returned {name} = {array[row]} for {ids[row]}: a value must be finite and "
            f"at most {LARGEST:g}"
        )
    if not negative and (array < -_ROUNDING).any():
        row = int(np.argmax(array < -_ROUNDING))
        raise PluginError(
            f"{plugin} returned {name} = {array[row]:g} for {ids[row]}: it must not be negative"
        )
    return array


def _numbers(plugin: str, name: str, values: Any) -> Floats:
    """Return real numbers as float64. Text, objects, booleans and masked values are none."""
    try:
        array = np.asarray(values)
    except Exception:
        array = None
    if array is None or array.dtype.kind not in "fiu":
        of = "" if array is None or not array.ndim else f" of type {array.dtype}"
        raise PluginError(
            f"{plugin} returned {name} that is not numeric{of}: {shown(values)}; it must be an "
            "array of float64"
        )
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise PluginError(f"{plugin} returned {name} with masked values: it must be complete")
    return array.astype(np.float64)
