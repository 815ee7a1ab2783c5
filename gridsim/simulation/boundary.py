"""The check of every array that a plugin hands to the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.errors import PluginError

LARGEST: Final = 1e12
"""The largest magnitude of a value: rounding overflows far beyond it, and no device is near."""


def outside(values: Floats, *, gaps: bool = False) -> NDArray[np.bool_]:
    """Return which values are not finite or larger than 1e12; with `gaps` NaN is allowed."""
    size = np.abs(values)
    bad: NDArray[np.bool_] = size > LARGEST if gaps else ~(size <= LARGEST)
    return bad


def checked(
    who: str,
    what: str,
    values: Any,
    ids: Sequence[str],
    *,
    gaps: bool = False,
    each: str = "device",
) -> Floats:
    """Return what a plugin returned as float64, one value for each of `ids`.

    `who` names the plugin, `what` the value, and `each` says of what the ids are. With `gaps`
    NaN is allowed. Raises PluginError if the shape is wrong, or a value is not finite or larger
    than 1e12.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise PluginError(f"{who} returned {what} that is not numbers: {values!r:.100}") from None
    if array.shape != (len(ids),):
        raise PluginError(f"{who} returned {what} of shape {array.shape} for {len(ids)} {each}s")
    bad = outside(array, gaps=gaps)
    if bad.any():
        row = int(np.argmax(bad))
        raise PluginError(
            f"{who} returned {what} = {array[row]} for {ids[row]}: a value must be finite and at "
            f"most {LARGEST:g}"
        )
    return array
