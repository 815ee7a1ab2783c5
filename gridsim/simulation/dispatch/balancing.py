"""The balancing of sites: the devices' shares of the power that brings the net load to zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats

TypeNames = frozenset[str]
"""The names of the DER types that a device excludes."""
Outputs = Mapping[str, Floats]
"""The output so far of the DER types that a device excludes, float64[sites], kW, by type."""


class Sharing(NamedTuple):
    """The devices among which a power is shared: columns with one entry per device."""

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


def balance_apart(
    net_kw: Floats,
    groups: Sequence[Sharing],
    excludes: Sequence[Mapping[TypeNames, NDArray[np.bool_]]],
    outputs_kw: Outputs,
) -> list[Floats]:
    """Split the balancing of each site, where devices exclude the output of DER types.

    For each group, `excludes` maps each set of excluded types to a mask of the group's devices.
    `outputs_kw` is the output that `net_kw` contains.

    Devices with the same excluded types share as in `balance`. Those that exclude more types come
    first. The next ones balance the rest of their own net load: never more than that, and never in
    the other direction, so that no battery discharges to charge another one.
    """
    if not outputs_kw:
        return balance(net_kw, groups)
    kinds = {names for masks in excludes for names in masks}
    shares = [np.zeros(len(own.site)) for own in groups]
    given = np.zeros_like(net_kw)
    for names in sorted(kinds, key=lambda names: (-len(names), sorted(names))):
        own_kw = sum((outputs_kw[name] for name in sorted(names) if name in outputs_kw), net_kw)
        left = own_kw - given
        left = np.clip(left, np.minimum(own_kw, 0.0), np.maximum(own_kw, 0.0))
        sharing = [
            own._replace(takes=own.takes & masks[names] if names in masks else own.takes & False)
            for own, masks in zip(groups, excludes, strict=True)
        ]
        for own, share, part in zip(groups, shares, balance(left, sharing), strict=True):
            share += part
            given += np.bincount(own.site, part, len(net_kw))
    return shares
