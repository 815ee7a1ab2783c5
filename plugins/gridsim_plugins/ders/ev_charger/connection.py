"""The connection of chargers to their sites: largest power, voltage and number of phases."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats, Members
from gridsim.helpers.mains import large_load_voltage
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
