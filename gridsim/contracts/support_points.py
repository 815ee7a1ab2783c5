"""The user's own curves of grid support: their points, and the checks of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

Points = tuple[tuple[float, float], ...]
"""The points of a curve, from left to right."""
# GridSupport looks for the voltage between these.
_LOWEST_PU, _HIGHEST_PU = 0.5, 1.5
_MOST_HZ = 10.0
# The reactive capability of category B, as a share of the rated apparent power.
_MOST_VAR = 0.44


def _curve(
    count: int, low: float, high: float, least: float, most: float, unit: str
) -> Callable[[Points], Points]:
    """Return the check of a curve of `count` points that never rises.

    Its places, in `unit`, are from `low` to `high`, and its values from `least` to `most`.
    """

    def check(points: Points) -> Points:
        if len(points) != count:
            raise ValueError(f"must be {count} points, not {len(points)}")
        for at, value in points:
            if not low <= at <= high:
                raise ValueError(f"must be points from {low:g} to {high:g} {unit}, not {at:g}")
            if not least <= value <= most:
                raise ValueError(
                    f"must be points with values from {least:g} to {most:g}, not {value:g}"
                )
        for (at, value), (after, following) in pairwise(points):
            if after < at or (after == at and following != value):
                raise ValueError(f"must be points in rising order, but {after:g} follows {at:g}")
            if following > value:
                raise ValueError(
                    f"must be points whose values do not rise, but {following:g} follows {value:g}"
                )
        return points

    return check


_PU = "shares of the nominal voltage"
VoltVarPoints = Annotated[
    Points, AfterValidator(_curve(4, _LOWEST_PU, _HIGHEST_PU, -_MOST_VAR, _MOST_VAR, _PU))
]
VoltWattPoints = Annotated[
    Points, AfterValidator(_curve(2, _LOWEST_PU, _HIGHEST_PU, 0.0, 1.0, _PU))
]
FreqWattPoints = Annotated[
    Points, AfterValidator(_curve(4, -_MOST_HZ, _MOST_HZ, -1.0, 1.0, "Hz from the nominal"))
]
