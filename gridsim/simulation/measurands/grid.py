"""The grid of all sites: frequency, wiring and feeders, and the samples that devices read."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats, GridSample
from gridsim.errors import failure
from gridsim.helpers.synchronous_areas import SYNCHRONOUS_AREAS
from gridsim.simulation.measurands.feeder import Feeder
from gridsim.simulation.measurands.frequency import SiteFrequency
from gridsim.simulation.measurands.wiring import Wiring
from gridsim.simulation.scenario import Scenario


class Grid:
    """The grid of all sites. It has no state: functions of the time and the power."""

    def __init__(self, scenario: Scenario) -> None:
        """Raise PluginError if a plugin describes its devices wrongly."""
        sites = scenario.sites
        self.wiring = Wiring(scenario)
        self.feeder = Feeder(scenario, self.wiring)
        self._frequency = SiteFrequency(scenario.draws, sites)
        areas = [SYNCHRONOUS_AREAS[name] for name in sites.synchronous_area]
        self.nominal_hz = np.array([area.nominal_hz for area in areas])
        # A kW that a site feeds is shared by its lines.
        slope = 1.0 / (sites.phases * self.wiring.nominal_v)
        self._pu_per_kw = self.feeder.volts_per_kw * slope
        self._pu_per_kvar = self.feeder.volts_per_kvar * slope

    def sample(self, time_ms: int, rise_pu: Floats | None) -> GridSample:
        """Return what the devices measure; `rise_pu` is that of the tick before, None: none."""
        voltage = self.feeder.source(time_ms) / self.wiring.nominal_v
        if rise_pu is not None:
            voltage = voltage + rise_pu
        frequency = self._frequency.at(time_ms)
        return GridSample(frequency, self.nominal_hz, voltage, self._pu_per_kw, self._pu_per_kvar)

    def amperes(self, time_ms: int, meter: Floats, real: Floats, reactive: Floats | None) -> Floats:
        """Return the currents of the lines at the meters, float64[lines, sites], A."""
        wiring = self.wiring
        kw = wiring.drawn(meter, real)
        kvar = wiring.drawn(meter * wiring.load_tangent, wiring.reactive(real, reactive))
        volts = self.feeder.voltages(time_ms, kw, kvar)
        amperes: Floats = np.hypot(kw, kvar) * 1000.0 / volts
        return amperes

    def rise(self, meter: Floats, real: Floats, reactive: Floats | None) -> Floats:
        """Return the rise of the mean voltage by the power of the sites, float64[sites], pu."""
        wiring = self.wiring
        fed = wiring.reactive(real, reactive)
        kw = wiring.drawn(meter, real).sum(axis=0)
        kvar = wiring.drawn(meter * wiring.load_tangent, fed).sum(axis=0)
        rise: Floats = -(self._pu_per_kw * kw + self._pu_per_kvar * kvar)
        return rise


def reads_grid(scenario: Scenario) -> bool:
    """Return whether devices of the scenario read the grid. Raises PluginError."""
    for spec in scenario.fleets:
        try:
            if any(spec.type.reads_grid(one) for one in spec.members.settings):
                return True
        except BaseException as error:
            title = f"the DER type {spec.name!r}"
            raise failure(title, error, "failed in reads_grid()") from error
    return False
