"""Setpoints in steps of 0.01 kW, the resolution of a reading.

A device's reading is its output rounded to 0.01 kW. A setpoint on a step is reported as it is,
so that the sum of a site's readings is the sum of its setpoints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Keys

# A rounding error of the arithmetic does not need another step.
_SLACK = 1e-6


def up_to_step(kw: Floats) -> Floats:
    """Return the values rounded up to the next step, kW."""
    steps: Floats = np.ceil(kw * 100.0 - _SLACK) / 100.0
    return steps


def in_steps(
    share_kw: Floats, site: NDArray[np.intp], keys: Keys, low: Floats, high: Floats, sites: int
) -> Floats:
    """Return the shares in steps: each site's sum is the sum of its shares, rounded up.

    `share_kw`, `site`, `keys`, `low` and `high` have an entry per device. A share is rounded down;
    then some devices of a site, in the order of their keys, get one more step, within their
    capability.
    """
    steps = np.floor(share_kw * 100.0 + _SLACK)
    kw = np.clip(steps / 100.0, low, high)
    total = np.ceil(np.bincount(site, share_kw * 100.0, sites) - _SLACK)
    missing = total - np.bincount(site, np.rint(kw * 100.0), sites)
    if (missing > 0.0).any():
        up = np.minimum((steps + 1.0) / 100.0, high)
        gains = (np.rint(up * 100.0) > np.rint(kw * 100.0)) & (missing[site] > 0.0)
        rows = np.flatnonzero(gains)
        rows = rows[np.lexsort((keys[rows], site[rows]))]
        rank = np.arange(len(rows)) - np.searchsorted(site[rows], site[rows])
        rows = rows[rank < missing[site[rows]]]
        kw[rows] = up[rows]
        # Small devices may have less than a step left; then the others make up the rest.
        missing = total - np.bincount(site, np.rint(kw * 100.0), sites)
        kw = np.minimum(kw + np.maximum(missing, 0.0)[site] / 100.0, high)
    result: Floats = kw
    return result
