"""World-wide maps of climates, stored as whole steps on a grid of 1 by 1.25 degrees."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

Map = NDArray[np.int16]


def between(stored: tuple[Map, int], latitude: Floats, longitude: Floats) -> Floats:
    """Return the values at places, linear between the points of a map, float64[values, n].

    A map is its points, int16[rows * columns, values], and its number of rows. The points run
    from north to south, and from 180 degrees west to east.
    """
    points, rows = stored
    columns = len(points) // rows
    down = (90.0 - np.asarray(latitude, float)) * (rows - 1) / 180.0
    along = (np.asarray(longitude, float) + 180.0) % 360.0 * columns / 360.0
    row, column = np.minimum(down.astype(np.intp), rows - 2), along.astype(np.intp)
    low, right = (down - row)[:, None], (along - column)[:, None]
    column %= columns
    west, east = row * columns + column, row * columns + (column + 1) % columns
    at = points.take
    above = at(west, axis=0) * (1.0 - right) + at(east, axis=0) * right
    west += columns
    east += columns
    below = at(west, axis=0) * (1.0 - right) + at(east, axis=0) * right
    here: Floats = (above * (1.0 - low) + below * low).T
    return here


@cache
def load_map(file: str, name: str) -> tuple[Map, int]:
    """Return a map of a file, in its steps, and its number of rows.

    The file has the differences along each row, int[values, rows, columns].
    """
    with (files("gridsim.helpers") / file).open("rb") as stream, np.load(stream) as stored:
        values = np.cumsum(stored[name], axis=-1, dtype=np.int16)
    return np.ascontiguousarray(values.reshape(len(values), -1).T), values.shape[1]
