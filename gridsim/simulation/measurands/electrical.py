"""The electrical measurands: voltage, current, power factor and reactive power.

In every row the active power is the sum of voltage, current and power factor over the lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.measurands import LINES, METER
from gridsim.simulation.measurands.grid import Grid
from gridsim.simulation.measurands.rounding import round_measurand
from gridsim.simulation.scenario import Scenario


class Electrical:
    """The electrical measurands of all devices and of the meters of their sites."""

    def __init__(self, scenario: Scenario, wanted: Collection[str], grid: Grid) -> None:
        self._wanted = wanted
        self._project = scenario.roster.project
        self._wiring, self._feeder = grid.wiring, grid.feeder
        self._of_meter = any(name.startswith(METER) for name in wanted)
        self._missing = np.full(len(scenario.roster), np.nan)
        self._missing.setflags(write=False)

    def take(
        self, time_ms: int, power: Floats, real: Floats, reactive: Floats | None, meter: Floats
    ) -> dict[str, Floats]:
        """Return the wanted measurands of a tick, float64[devices], rounded.

        `power` has the reported output of each device and `real` the output that counts in its
        site, `meter` the gross load of each site: kW. `reactive` has the reactive power by DER
        types that report it, kvar, NaN elsewhere.
        """
        wiring = self._wiring
        fed = wiring.reactive(power, reactive)
        real_fed = fed if real is power else np.where(real == power, fed, 0.0)
        kw = wiring.drawn(meter, real)
        kvar = wiring.drawn(meter * wiring.load_tangent, real_fed)
        volts = self._feeder.voltages(time_ms, kw, kvar)
        # Rounded once for the devices and the meter of each site.
        shown = wiring.only(round_measurand("voltage", volts.copy()))
        values = dict(self._of_devices(power, fed, volts, shown))
        if self._of_meter:
            values |= self._of_sites(kw, kvar, volts, shown)
        return values

    def _of_devices(
        self, power: Floats, fed: Floats, volts: Floats, shown: Floats
    ) -> Iterator[tuple[str, Floats]]:
        """Yield the wanted measurands of the devices, float64[devices]."""
        wanted, wiring = self._wanted, self._wiring
        size = power * power
        size += fed * fed
        np.sqrt(size, out=size)
        per_volt = 1000.0 / volts
        if "voltage" in wanted:
            yield "voltage", round_measurand("voltage", wiring.blocks(volts))[wiring.block]
        if "current" in wanted:
            amperes = wiring.blocks(per_volt)[wiring.block]
            amperes *= size
            yield "current", round_measurand("current", amperes)
        each = size / wiring.phases
        for number, line in enumerate(LINES):
            exists = number < wiring.lines
            if "voltage" + line in wanted:
                column = self._missing
                if exists:
                    column = np.append(shown[number], np.nan)[wiring.at[number]]
                yield "voltage" + line, column
            if "current" + line in wanted:
                column = self._missing
                if exists:
                    column = np.append(per_volt[number], np.nan)[wiring.at[number]]
                    column *= each
                    round_measurand("current", column)
                yield "current" + line, column
        if "power_factor" in wanted:
            yield "power_factor", _power_factor(power, size)
        if "reactive_kvar" in wanted:
            yield "reactive_kvar", round_measurand("reactive_kvar", fed.copy())

    def _of_sites(
        self, kw: Floats, kvar: Floats, volts: Floats, shown: Floats
    ) -> Iterator[tuple[str, Floats]]:
        """Yield the wanted measurands of the meters, float64[devices]."""
        wiring = self._wiring
        size = kw * kw
        size += kvar * kvar
        np.sqrt(size, out=size)
        amperes = size * 1000.0
        amperes /= volts
        totals = {
            "voltage": round_measurand("voltage", wiring.mean(volts)),
            "current": round_measurand("current", amperes.sum(axis=0)),
            "power_factor": _power_factor(kw.sum(axis=0), size.sum(axis=0)),
            "reactive_kvar": round_measurand("reactive_kvar", kvar.sum(axis=0)),
        }
        for name, column in totals.items():
            if METER + name in self._wanted:
                yield METER + name, column[self._project]
        each = wiring.only(round_measurand("current", amperes))
        for name, columns in (("voltage", shown), ("current", each)):
            for number, line in enumerate(LINES):
                if METER + name + line not in self._wanted:
                    continue
                exists = number < wiring.lines
                yield (
                    METER + name + line,
                    columns[number][self._project] if exists else self._missing,
                )


def _power_factor(power: Floats, size: Floats) -> Floats:
    """Return active over apparent power, with the sign of the active power; 1 without power."""
    none = size == 0.0
    factor: Floats = power + none
    factor /= size + none
    return round_measurand("power_factor", factor)
