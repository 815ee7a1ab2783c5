"""The irradiance on a plane, which the hourly series of PVGIS have instead of the horizontal
one.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from gridsim.api import Floats
from gridsim.helpers.tables import Table

_GLOBAL: Final = "G(i)"
_PARTS: Final = ("Gb(i)", "Gd(i)", "Gr(i)")
_SLOPE: Final = re.compile(r"\s*Slope:\s*(-?[0-9.]+)", re.IGNORECASE)


def has_plane(table: Table) -> bool:
    """Return true if a table has irradiance on a plane."""
    return table.has(_GLOBAL) or all(table.has(name) for name in _PARTS[:2])


def horizontal(table: Table) -> tuple[str, Floats, Floats | None]:
    """Return the header, the global and the diffuse irradiance, W/m2, of a plane with slope 0.

    The diffuse one is None if the table does not have it. Raises ValueError for another plane.
    """
    found = [match for line in table.preamble if (match := _SLOPE.match(line)) is not None]
    names = [name for name in (_GLOBAL, *_PARTS) if table.has(name)]
    what = f"{table.path}: {', '.join(names)}: irradiance on an inclined plane"
    want = "gridsim needs that on the horizontal plane: request the series with slope 0"
    if not found:
        raise ValueError(f"{what} whose slope the file does not state; {want}")
    if float(found[0][1]) != 0.0:
        raise ValueError(f"{what} with a slope of {found[0][1]} degrees; {want}")
    diffuse = table.numbers_or_gaps("Gd(i)") if table.has("Gd(i)") else None
    if table.has(_GLOBAL):
        return _GLOBAL, table.numbers_or_gaps(_GLOBAL), diffuse
    parts = [table.numbers_or_gaps(name) for name in names]
    return " + ".join(names), np.sum(parts, axis=0), diffuse
