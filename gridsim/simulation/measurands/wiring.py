"""The wiring of sites: the lines that each device and load is connected to, and its power factor.

A site has one to three lines. Where homes have two lines of 120 V, both are one line of 240 V here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.errors import PluginError, failure
from gridsim.helpers.mains import large_load_voltage
from gridsim.simulation.boundary import checked
from gridsim.simulation.scenario import FleetSpec, Scenario

ONE_PHASE_KW: Final = 4.6
"""The largest device on one line of three: 20 A at 230 V (VDE-AR-N 4100)."""
# The share of a load on a line varies between lines by up to three times.
_UNEVEN: Final = 0.5


class Wiring:
    """The lines of all devices and loads of a scenario; it does not change."""

    def __init__(self, scenario: Scenario) -> None:
        """Raise PluginError if a plugin describes its devices wrongly."""
        sites, project = scenario.sites, scenario.roster.project
        self.lines = int(sites.phases.max())
        """The largest number of lines of a site."""
        number = np.arange(self.lines)[:, None]
        self.of_sites: NDArray[np.bool_] = number < sites.phases
        """The lines that a site has, bool[lines, sites]."""
        self.nominal_v = np.where(
            sites.phases == 1.0, large_load_voltage(sites.nominal_voltage), sites.nominal_voltage
        )
        """The nominal voltage of the lines, float64[sites], V."""
        weight = _UNEVEN + scenario.draws.uniform4("grid/load", sites.keys)[: self.lines]
        weight *= self.of_sites
        self.load_share: Floats = weight / weight.sum(axis=0)
        """The share of a site's load on each line, float64[lines, sites]."""
        self.load_tangent = np.zeros(len(sites))
        """The reactive power per kW of load, float64[sites], kvar/kW."""
        for spec in scenario.loads:
            tangent = _tangent(f"the load {spec.name!r}", spec.type.power_factor)
            self.load_tangent[spec.members.site] = tangent
        of_site = sites.phases[project]
        phases = np.minimum(_phases(scenario, of_site), of_site)
        first = np.zeros(len(project))
        self.tangent = np.zeros(len(project))
        """The reactive power that a device draws per kW, float64[devices], kvar/kW."""
        for fleet in scenario.fleets:
            first[fleet.device] = scenario.draws.uniform("grid/line", fleet.members.keys)
            title = f"the DER type {fleet.name!r}"
            self.tangent[fleet.device] = _tangent(title, fleet.type.power_factor)
        place = (number - np.floor(first * of_site)) % of_site
        self.share: Floats = ((place < phases) & self.of_sites[:, project]) / phases
        """The share of a device's power on each line, float64[lines, devices]."""


def _phases(scenario: Scenario, of_site: Floats) -> Floats:
    """Return the number of phases of each device, float64[devices]."""
    rated = scenario.roster.nameplate_capacity
    phases = np.where(rated <= ONE_PHASE_KW, 1.0, of_site)
    for fleet in scenario.fleets:
        own = _own_phases(fleet)
        if own is not None:
            phases[fleet.device] = np.where(np.isnan(own), phases[fleet.device], own)
    return phases


def _own_phases(fleet: FleetSpec) -> Floats | None:
    """Return the phases by the type itself, NaN where it does not say. Raises PluginError."""
    title = f"the DER type {fleet.name!r}"
    try:
        own = fleet.type.phases(fleet.members)
    except BaseException as error:
        raise failure(title, error, "failed in phases()") from error
    if own is None:
        return None
    own = checked(title, "phases", own, fleet.members.ids, gaps=True)
    wrong = ~np.isnan(own) & ~np.isin(own, (1.0, 2.0, 3.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise PluginError(
            f"{title} returned phases = {own[row]:g} for {fleet.members.ids[row]}: it must be 1, "
            "2 or 3"
        )
    return own


def _tangent(title: str, power_factor: float) -> float:
    """Return the reactive per active power of a power factor. Raises PluginError."""
    if not 0.0 < power_factor <= 1.0:
        raise PluginError(f"{title} has power_factor = {power_factor!r}: it must be in (0, 1]")
    return float(np.sqrt(1.0 - power_factor**2) / power_factor)
