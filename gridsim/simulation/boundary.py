"""The check of every array that a plugin hands to the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.errors import PluginError

LARGEST: Final = 1e12
"""The largest magnitude of a value: far above any device, and far below where rounding
overflows."""


def outside(values: Floats, *, gaps: bool = False) -> NDArray[np.bool_]:
    """Return a mask of the values that are not finite or exceed 1e12; `gaps` allows NaN."""
    size = np.abs(values)
    bad: NDArray[np.bool_] = size > LARGEST if gaps else ~(size <= LARGEST)
    return bad


def checked(
    plugin: str,
    name: str,
    values: Any,
    ids: Sequence[str],
    *,
    gaps: bool = False,
    each: str = "device",
) -> Floats:
    """Return a plugin's result as float64, with one value for each of `ids`.

    `plugin` and `name` are the names of the plugin and of the value for errors; `each` is the
    noun for one of the ids. `gaps` allows NaN. Raises PluginError if the shape is wrong, or if
    a value is not finite or exceeds 1e12.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise PluginError(
            f"{plugin} returned {name} that is not numeric: {values!r:.100}"
        ) from None
    if array.shape != (len(ids),):
        raise PluginError(f"{plugin} returned {name} of shape {array.shape} for {len(ids)} {each}s")
    bad = outside(array, gaps=gaps)
    if bad.any():
        row = int(np.argmax(bad))
        raise PluginError(
            f"{plugin} returned {name} = {array[row]} for {ids[row]}: a value must be finite and "
            f"at most {LARGEST:g}"
        )
    return array
