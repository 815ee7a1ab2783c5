"""The connection of chargers to their sites and to the cars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members, Orders
from gridsim.helpers.mains import large_load_voltage
from gridsim_plugins.ders.ev_charger.physics import charged, charged_fast, pilot_power
from gridsim_plugins.ders.ev_charger.settings import EvChargerSettings

# Up to 32 A a charger is connected to one phase; the half covers rounded settings.
_ONE_PHASE_A = 32.5


def largest_power(members: Members[EvChargerSettings]) -> Floats:
    """Return the largest power of each charger, float64[n], kW: with AC the car limits it, too."""
    nameplate, onboard = members.columns["nameplate_capacity"], members.columns["onboard_limit"]
    dc = members.choose(lambda settings: settings.connector == "dc", np.bool_)
    return np.where(dc, nameplate, np.minimum(nameplate, onboard))


def connection(members: Members[EvChargerSettings]) -> tuple[Floats, Floats]:
    """Return the voltages and the numbers of phases of the chargers, set or of their sites."""
    sites, column = members.sites, members.columns
    volts = large_load_voltage(sites.nominal_voltage)[members.site]
    volts = np.where(np.isnan(column["volts"]), volts, column["volts"])
    small = largest_power(members) * 1000.0 <= _ONE_PHASE_A * volts
    phases = np.where(small, 1.0, sites.phases[members.site])
    return volts, np.where(np.isnan(column["phases"]), phases, column["phases"])


class Connectors:
    """The AC and DC connectors of n chargers: the powers that they can set."""

    def __init__(self, members: Members[EvChargerSettings]) -> None:
        self.limit = largest_power(members)
        """The largest power of each charger, kW."""
        self._volts, self._phases = connection(members)
        self.dc: NDArray[np.bool_] = members.choose(
            lambda settings: settings.connector == "dc", np.bool_
        )
        self._any_dc = bool(self.dc.any())

    def throttled(self, which: NDArray[np.intp], setpoint: Floats) -> Floats:
        """Return the power of the chargers `which` with these setpoints, float64[which], kW."""
        limit = self.limit[which]
        has_setpoint = ~np.isnan(setpoint)
        if not has_setpoint.any():
            return limit
        highest = np.minimum(limit, np.maximum(-setpoint, 0.0))
        return np.where(has_setpoint, self._pilot(which, highest), limit)

    def offers(self, orders: Orders) -> NDArray[np.bool_]:
        """Return whether each charger offers power to a car under these orders, bool[n]."""
        if orders.min_kw is None and np.isnan(orders.setpoint_kw).all():
            return np.ones(len(self.limit), np.bool_)
        every = np.arange(len(self.limit))
        power = self.throttled(every, orders.setpoint_kw)
        if orders.min_kw is not None:
            power = np.minimum(power, self.max_pilot(every, orders.min_kw))
        offered: NDArray[np.bool_] = power > 0.0
        return offered

    def max_pilot(self, which: NDArray[np.intp], min_kw: Floats) -> Floats:
        """Return the power of the highest pilot current within the limits, float64[which]."""
        allowed = np.clip(0.0 - min_kw[which], 0.0, self.limit[which])
        return self._pilot(which, allowed)

    def charged(
        self,
        which: NDArray[np.intp],
        soc: Floats,
        target: Floats,
        rate: Floats,
        hours: Floats | float,
    ) -> Floats:
        """Return the states of charge after `hours` of AC or DC charging, float64[which]."""
        if not self._any_dc:
            return charged(soc, target, rate, hours)
        dc = self.dc[which]
        slow = charged(soc, target, rate, hours)
        return np.where(dc, charged_fast(soc, target, rate, hours), slow)

    def _pilot(self, which: NDArray[np.intp], highest: Floats) -> Floats:
        """Return the power within `highest` that a charger can set: AC in whole amperes."""
        pilot = pilot_power(highest, self._volts[which], self._phases[which])
        return np.where(self.dc[which], highest, pilot) if self._any_dc else pilot
