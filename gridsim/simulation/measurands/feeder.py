"""The feeders of sites: the voltage at the meter, by the power that a site draws or feeds."""

from __future__ import annotations

from typing import Final

import numpy as np

from gridsim.api import Floats
from gridsim.simulation.measurands.wiring import Wiring
from gridsim.simulation.scenario import Scenario

# A line of the reference impedance of IEC 60725, 0.24 + 0.15j ohm, and the share of its neutral,
# (0.4 + 0.25j) / (0.24 + 0.15j), in the loop of a single line.
_R, _X = 0.24 / np.hypot(0.24, 0.15), 0.15 / np.hypot(0.24, 0.15)
_LOOP: Final = 5.0 / 3.0
# 90 % of the sites are below the reference impedance.
_MEDIAN_OHM: Final = 0.15
_SPREAD: Final = 0.5
_MOST_DROP: Final = 0.05
"""The drop at the rated power of the DERs of a site: a larger site has a stronger feeder."""
_ABOVE: Final = 0.01
_TAPS: Final = 0.015
"""The voltage without the site's own power is above the nominal one by 1 % +- 1.5 % of sites."""
_DAILY: Final = 0.01
_HIGHEST_H: Final = 6.0
_RANGE: Final = (0.5, 1.5)
"""The limits of the voltage, of nominal: they keep it positive in sites of absurd power."""
_HOLDS_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000


class Feeder:
    """The feeders of all sites.

    The voltage of a line is that of the stiff part of the grid, less the drop by the line's own
    net power: (R P + X Q) / U with the nominal U, the usual approximation. The grid's voltage has
    an offset of the site and a slow daily course, lowest in the evening.
    """

    def __init__(self, scenario: Scenario, wiring: Wiring) -> None:
        sites, roster = scenario.sites, scenario.roster
        self._sites, self._nominal = sites, wiring.nominal_v
        draws = scenario.draws
        loop = np.where(sites.phases == 1.0, _LOOP, 1.0)
        drawn = _MEDIAN_OHM * np.exp(_SPREAD * draws.normal("grid/feeder", sites.keys)) * loop
        rated = np.bincount(roster.project, roster.nameplate_capacity, len(sites)) / sites.phases
        with np.errstate(divide="ignore"):
            drawn = np.minimum(drawn, _MOST_DROP * self._nominal**2 / (1000.0 * rated))
        ohm = np.where(np.isnan(sites.feeder_impedance), drawn, sites.feeder_impedance)
        self.volts_per_kw = _R * ohm * 1000.0 / self._nominal
        """The change of a line's voltage per kW on it, float64[sites], V."""
        self.volts_per_kvar = _X * ohm * 1000.0 / self._nominal
        """The change of a line's voltage per kvar on it, float64[sites], V."""
        offset = _ABOVE + _TAPS * (2.0 * draws.uniform("grid/taps", sites.keys) - 1.0)
        self._level = self._nominal * (1.0 + offset)
        self._low, self._high = (limit * self._nominal for limit in _RANGE)
        self._slot: int | None = None
        self._source = self._level

    def source(self, time_ms: int) -> Floats:
        """Return the voltage without the site's own power, float64[sites], V."""
        slot = time_ms // _HOLDS_MS
        if slot != self._slot:
            hour = self._sites.local_ms(slot * _HOLDS_MS) / _HOUR_MS
            course = np.cos(2.0 * np.pi * (hour - _HIGHEST_H) / 24.0)
            self._source = self._level + _DAILY * self._nominal * course
            self._slot = slot
        return self._source

    def voltages(self, time_ms: int, drawn_kw: Floats, drawn_kvar: Floats) -> Floats:
        """Return the voltages of the lines; all are float64[lines, sites]."""
        volts: Floats = self.volts_per_kw * drawn_kw
        volts += self.volts_per_kvar * drawn_kvar
        np.subtract(self.source(time_ms), volts, out=volts)
        np.maximum(volts, self._low, out=volts)
        return np.minimum(volts, self._high, out=volts)
