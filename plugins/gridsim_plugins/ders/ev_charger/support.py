"""The grid support of vehicle-to-grid chargers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, GridSupport, Members, Orders, Stateful, Tick
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings


class CarSupport(Stateful):
    """The grid support of those chargers of a fleet that have it."""

    kept = ("_support",)

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        self._support = GridSupport(members)
        self._has = members.choose(lambda settings: settings.supports_grid, np.bool_)
        self.kvar = np.full(len(members), np.nan)
        """The reactive power of the tick, float64[n]; NaN for chargers without grid support."""

    @classmethod
    def of(cls, members: Members[EvChargerSettings]) -> CarSupport | None:
        """Return the grid support of a fleet; None if no charger has any."""
        return cls(members) if any(one.supports_grid for one in members.settings) else None

    def apply(
        self,
        tick: Tick,
        orders: Orders,
        car: NDArray[np.intp],
        net_kw: Floats,
        charge_kw: Floats,
        discharge_kw: Floats,
    ) -> Floats:
        """Return the output of the cars, float64[cars], kW, and set `kvar`.

        `car` are the devices with a car. `net_kw` is their output without grid support, and the two
        others are what they are able to draw and to feed, float64[cars].
        """
        n, own = len(self._has), self._has[car]
        power, low, high = np.zeros(n), np.zeros(n), np.zeros(n)
        power[car] = net_kw
        low[car] = np.where(own, -charge_kw, net_kw)
        high[car] = np.where(own, discharge_kw, net_kw)
        low, high = orders.within(low), orders.within(high)
        kw, kvar = self._support.apply(tick, power, low, high)
        self.kvar = np.where(self._has, kvar, np.nan)
        return np.where(own, kw[car], net_kw)
