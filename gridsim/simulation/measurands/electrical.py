"""The electrical measurands: voltage, current, power factor and reactive power.

In every row the active power is the sum of voltage, current and power factor over the lines.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.measurands import LINES, METER
from gridsim.simulation.measurands.feeder import Feeder
from gridsim.simulation.measurands.wiring import Wiring
from gridsim.simulation.scenario import Scenario


class Electrical:
    """The electrical measurands of all devices and of the meters of their sites."""

    def __init__(self, scenario: Scenario, wanted: Collection[str]) -> None:
        """Raise PluginError if a plugin describes its devices wrongly."""
        self._wanted = wanted
        self._project = scenario.roster.project
        self._wiring = Wiring(scenario)
        self._feeder = Feeder(scenario, self._wiring)
        self._mean = self._wiring.of_sites / self._wiring.of_sites.sum(axis=0)
        self._of_meter = any(name.startswith(METER) for name in wanted)

    def take(
        self, time_ms: int, power: Floats, real: Floats, reactive: Floats | None, meter: Floats
    ) -> dict[str, Floats]:
        """Return the wanted measurands of a tick, float64[devices].

        `power` has the reported output of each device and `real` the output that counts in its
        site, `meter` the gross load of each site: kW. `reactive` has the reactive power by DER
        types that report it, kvar, NaN elsewhere.
        """
        wiring, project, n = self._wiring, self._project, len(meter)
        fed = -np.abs(power) * wiring.tangent
        if reactive is not None:
            fed = np.where(np.isnan(reactive), fed, reactive)
        real_fed = fed if real is power else np.where(real == power, fed, 0.0)
        load_kvar = meter * wiring.load_tangent
        drawn_kw, drawn_kvar = [], []
        for share, of_load in zip(wiring.share, wiring.load_share, strict=True):
            drawn_kw.append(of_load * meter - np.bincount(project, share * real, n))
            drawn_kvar.append(of_load * load_kvar - np.bincount(project, share * real_fed, n))
        volts = self._feeder.voltages(time_ms, drawn_kw, drawn_kvar)
        values = self._of_devices(power, fed, volts)
        if self._of_meter:
            for name, column in self._of_sites(drawn_kw, drawn_kvar, volts).items():
                if name in self._wanted:
                    values[name] = column[project]
        return values

    def _of_devices(self, power: Floats, fed: Floats, volts: list[Floats]) -> dict[str, Floats]:
        wanted, wiring, project = self._wanted, self._wiring, self._project
        values: dict[str, Floats] = {}
        size = np.sqrt(power * power + fed * fed)
        voltage, current = np.zeros(len(power)), np.zeros(len(power))
        for line, share, of_site in zip(LINES, wiring.share, volts, strict=False):
            own = of_site[project]
            amperes = size * share * 1000.0 / own
            voltage += share * own
            current += amperes
            for name, column in (("voltage", own), ("current", amperes)):
                if name + line in wanted:
                    values[name + line] = np.where(share > 0.0, column, np.nan)
        totals = {
            "voltage": voltage,
            "current": current,
            "power_factor": _power_factor(power, size),
            "reactive_kvar": fed,
        }
        values |= {name: column for name, column in totals.items() if name in wanted}
        return self._padded(values, ("voltage", "current"), len(power))

    def _of_sites(
        self, drawn_kw: list[Floats], drawn_kvar: list[Floats], volts: list[Floats]
    ) -> dict[str, Floats]:
        """Return the measurands of the meters, float64[sites]."""
        values: dict[str, Floats] = {}
        n = len(volts[0])
        voltage, current, size = np.zeros(n), np.zeros(n), np.zeros(n)
        lines = zip(
            LINES, self._wiring.of_sites, self._mean, drawn_kw, drawn_kvar, volts, strict=False
        )
        for line, has, mean, kw, kvar, own in lines:
            apparent = np.sqrt(kw * kw + kvar * kvar)
            amperes = apparent * 1000.0 / own
            voltage += mean * own
            current += amperes
            size += apparent
            values["meter_voltage" + line] = np.where(has, own, np.nan)
            values["meter_current" + line] = np.where(has, amperes, np.nan)
        values["meter_voltage"], values["meter_current"] = voltage, current
        values["meter_power_factor"] = _power_factor(np.sum(drawn_kw, axis=0), size)
        values["meter_reactive_kvar"] = np.sum(drawn_kvar, axis=0)
        return self._padded(values, ("meter_voltage", "meter_current"), n)

    def _padded(
        self, values: dict[str, Floats], names: Collection[str], n: int
    ) -> dict[str, Floats]:
        """Return the values with those of lines that no site has."""
        for name in names:
            for line in LINES[self._wiring.lines :]:
                if name + line in self._wanted:
                    values[name + line] = np.full(n, np.nan)
        return values


def _power_factor(power: Floats, size: Floats) -> Floats:
    """Return active over apparent power, with the sign of the active power; 1 without power."""
    return np.divide(power, size, out=np.ones(len(power)), where=size > 0.0)
