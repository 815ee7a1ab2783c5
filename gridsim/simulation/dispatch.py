"""Dispatch: what each flexible device is asked to do in a tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridsim.api import Capability, Floats, Orders
from gridsim.simulation.fleets import RunningFleet


def no_orders(n: int) -> Orders:
    """Nothing asked of any of n devices."""
    return Orders(setpoint_kw=np.full(n, np.nan), balance_kw=np.zeros(n))


def balance(
    net_kw: Floats, fleets: Sequence[RunningFleet], abilities: Sequence[Capability]
) -> list[Floats]:
    """Shares the balancing of each site over its devices, in proportion to what they can do.

    `net_kw` is float64[sites], positive where the site draws: it is met by discharging, a
    surplus by charging. Returns float64[devices of the fleet] for each fleet; a share never
    exceeds the device's capability, and is zero for devices that do not balance.
    """
    able = [
        np.where(fleet.balances, _towards(net_kw, fleet, ability), 0.0)
        for fleet, ability in zip(fleets, abilities, strict=True)
    ]
    total = np.zeros_like(net_kw)
    for fleet, own in zip(fleets, able, strict=True):
        total += np.bincount(fleet.site, own, len(net_kw))
    # net and total have the same sign; the quotient is the used part of the capability.
    used = np.divide(net_kw, total, out=np.zeros_like(net_kw), where=total != 0.0)
    np.minimum(used, 1.0, out=used)
    return [own * used[fleet.site] for fleet, own in zip(fleets, able, strict=True)]


def _towards(net_kw: Floats, fleet: RunningFleet, ability: Capability) -> Floats:
    return np.where(net_kw[fleet.site] > 0.0, ability.max_kw, ability.min_kw)
