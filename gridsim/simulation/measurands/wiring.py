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
from gridsim.simulation.measurands.rounding import VALID
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
        self._has_tangent = bool(self.tangent.any())
        self._connect(project, phases, of_site, np.floor(first * of_site).astype(np.intp))

    def _connect(
        self, project: NDArray[np.intp], phases: Floats, of_site: Floats, first: NDArray[np.intp]
    ) -> None:
        """Connect the devices: on all lines of their sites, or on some from line `first` on."""
        lines, n = self.of_sites.shape
        number = np.arange(lines)[:, None]
        has = (number - first) % of_site.astype(np.intp) < phases
        has &= self.of_sites[:, project]
        self.phases = phases
        """The number of lines of each device, float64[devices]."""
        self._at: NDArray[np.intp] = np.where(has, project, n)
        """The site of each device on each line, intp[lines, devices]; its number where the device
        is not on the line is that of the sites."""
        every = phases == of_site
        row = np.where(every, lines, np.where(phases == 1.0, first, lines + 1 + first))
        self._any_two = bool((row > lines).any())
        self._block: NDArray[np.intp] = project if lines == 1 else row * n + project
        """The place of each device among the values of single lines, their means over all lines of
        the sites, and over two, intp[devices]."""
        # As numbers, because each tick multiplies by them.
        self._has = self.of_sites.astype(np.float64)
        self._number: Floats = self._has.sum(axis=0)
        self._all = bool(self.of_sites.all())
        self._every = np.flatnonzero(every)
        self._every_site = project[self._every]
        line, self._some = np.nonzero(has & ~every)
        self._some_place = line * n + project[self._some]
        self._some_phases = phases[self._some]

    def reactive(self, power: Floats, reported: Floats | None) -> Floats:
        """Return the reactive power that the devices inject, float64[devices], kvar.

        `power` is their output in kW and `reported` the reactive power by their types, NaN where a
        type does not report it. A device without power has none.
        """
        fed = -np.abs(power) * self.tangent if self._has_tangent else np.zeros(len(power))
        return fed if reported is None else np.where(np.isnan(reported), fed, reported)

    def drawn(self, load: Floats, fed: Floats) -> Floats:
        """Return the net power that each site draws on each line, float64[lines, sites].

        `load` is the load of each site and `fed` the output of each device, both active or both
        reactive.
        """
        lines, n = self.of_sites.shape
        whole: Floats = np.bincount(self._every_site, fed.take(self._every, mode=VALID), n).astype(
            np.float64
        )
        if lines == 1:
            return np.subtract(load, whole)[None, :]
        whole /= self._number
        net: Floats = self.load_share * load
        net -= whole if self._all else self._has * whole
        if len(self._some):
            each = fed.take(self._some, mode=VALID)
            each /= self._some_phases
            net -= np.bincount(self._some_place, each, lines * n).reshape(lines, n)
        return net

    def mean(self, values: Floats) -> Floats:
        """Return the mean over the lines of each site, float64[sites], of float64[lines, sites]."""
        mean: Floats = (values if self._all else values * self._has).sum(axis=0)
        mean /= self._number
        return mean

    def only(self, values: Floats) -> Floats:
        """Return values, float64[lines, sites], with NaN for lines that a site does not have."""
        return values if self._all else np.where(self.of_sites, values, np.nan)

    def of_line(self, values: Floats, line: int) -> Floats:
        """Return the values of a line for the devices on it, float64[devices], NaN for the others.

        `values` is float64[lines, sites].
        """
        column: Floats = np.append(values[line], np.nan).take(self._at[line], mode=VALID)
        return column

    def of_devices(self, values: Floats) -> Floats:
        """Return the mean over the lines of each device, float64[devices].

        `values` is float64[lines, sites].
        """
        lines = len(values)
        parts = [*values, self.mean(values)] if lines > 1 else [*values]
        if self._any_two:
            parts += [(values[one] + values[(one + 1) % 3]) / 2.0 for one in range(3)]
        column: Floats = np.concatenate(parts).take(self._block, mode=VALID)
        return column


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
