"""The sharing of a site's power over its devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats


class Sharing(NamedTuple):
    """The devices of a fleet that share in something: columns with one entry per device."""

    site: NDArray[np.intp]
    min_kw: Floats
    max_kw: Floats
    takes: NDArray[np.bool_]
    """True for the devices that take a share."""


def balance(net_kw: Floats, groups: Sequence[Sharing]) -> list[Floats]:
    """Split the balancing of each site over its devices, in proportion to their capability.

    `net_kw`, float64[sites], is positive where the site draws. Discharging meets a positive
    value, and charging a negative one. Returns float64[devices] for each group; a share never
    exceeds the device's capability, and is zero for devices that take no share.
    """
    able = [
        np.where(own.takes, np.where(net_kw[own.site] > 0.0, own.max_kw, own.min_kw), 0.0)
        for own in groups
    ]
    total = np.zeros_like(net_kw)
    for own, can in zip(groups, able, strict=True):
        total += np.bincount(own.site, can, len(net_kw))
    # net and total have the same sign; the quotient is the used share of the capability.
    used = (total != 0.0).astype(np.float64)
    np.divide(net_kw, total, out=used, where=np.abs(net_kw) < np.abs(total))
    np.maximum(used, 0.0, out=used)
    return [can * used[own.site] for own, can in zip(groups, able, strict=True)]
