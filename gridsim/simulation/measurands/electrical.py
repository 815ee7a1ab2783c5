"""The electrical measurands: voltage, current, power factor and reactive power.

In every row the active power is the sum of voltage, current and power factor over the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.measurands import ALARMS_COLUMN, LINES, METER
from gridsim.simulation.batch import missing_column
from gridsim.simulation.measurands.conditions import Limits
from gridsim.simulation.measurands.grid import Grid
from gridsim.simulation.measurands.rounding import VALID, round_measurand
from gridsim.simulation.scenario import Scenario


class Electrical:
    """The electrical measurands of all devices and of the meters of their sites."""

    def __init__(self, scenario: Scenario, wanted: Collection[str], grid: Grid) -> None:
        self._wanted = wanted
        self._project = scenario.roster.project
        self._wiring, self._feeder = grid.wiring, grid.feeder
        self._of_meter = any(name.startswith(METER) for name in wanted)
        self._limits = Limits.of_voltage(self._wiring.nominal_v)
        self._missing = missing_column(len(scenario.roster))

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
        if ALARMS_COLUMN in self._wanted:
            values[ALARMS_COLUMN] = self._alarms(shown)
        if self._of_meter:
            values |= self._of_sites(kw, kvar, volts, shown)
        return {name: column for name, column in values.items() if name in self._wanted}

    def _of_devices(
        self, power: Floats, fed: Floats, volts: Floats, shown: Floats
    ) -> Iterator[tuple[str, Floats]]:
        """Yield the wanted measurands of the devices, float64[devices]."""
        wanted, wiring = self._wanted, self._wiring
        size = power * power
        size += fed * fed
        np.sqrt(size, out=size)
        per_volt = 1000.0 / volts
        each = size if wiring.lines == 1 else size / wiring.phases

        def current(of_volt: Floats, kva: Floats) -> Floats:
            of_volt *= kva
            return round_measurand("current", of_volt)

        yield from self._with_lines(
            "voltage",
            lambda: round_measurand("voltage", wiring.of_devices(volts)),
            lambda line: wiring.of_line(shown, line),
        )
        yield from self._with_lines(
            "current",
            lambda: current(wiring.of_devices(per_volt), size),
            lambda line: current(wiring.of_line(per_volt, line), each),
        )
        if "power_factor" in wanted:
            yield "power_factor", _power_factor(power, size)
        if "reactive_kvar" in wanted:
            yield "reactive_kvar", round_measurand("reactive_kvar", fed.copy())

    def _of_sites(
        self, kw: Floats, kvar: Floats, volts: Floats, shown: Floats
    ) -> Iterator[tuple[str, Floats]]:
        """Yield the wanted measurands of the meters, float64[devices]."""
        wanted, wiring, project = self._wanted, self._wiring, self._project
        size = kw * kw
        size += kvar * kvar
        np.sqrt(size, out=size)
        amperes = size * 1000.0
        amperes /= volts

        def of_all(name: str, values: Floats) -> Floats:
            return round_measurand(name, values).take(project, mode=VALID)

        yield from self._with_lines(
            METER + "voltage",
            lambda: of_all("voltage", wiring.mean(volts)),
            lambda line: shown[line].take(project, mode=VALID),
        )
        total = amperes.sum(axis=0)
        each = amperes if wiring.lines == 1 else wiring.only(round_measurand("current", amperes))
        yield from self._with_lines(
            METER + "current",
            lambda: of_all("current", total),
            lambda line: each[line].take(project, mode=VALID),
        )
        if METER + "power_factor" in wanted:
            factor = _power_factor(kw.sum(axis=0), size.sum(axis=0))
            yield METER + "power_factor", factor.take(project, mode=VALID)
        if METER + "reactive_kvar" in wanted:
            yield METER + "reactive_kvar", of_all("reactive_kvar", kvar.sum(axis=0))

    def _alarms(self, shown: Floats) -> Floats:
        """Return the alarms of the devices by the voltages of their lines, float64[devices]."""
        alarms, bits = np.zeros(len(self._project)), self._limits.alarms(shown)
        if bits is not None:
            of_all = np.zeros(len(alarms), np.int64)
            for line in range(len(bits)):
                own = self._wiring.of_line(bits.astype(np.float64), line)
                of_all |= np.nan_to_num(own).astype(np.int64)
            alarms += of_all
        return alarms

    def _with_lines(
        self, name: str, total: Callable[[], Floats], line: Callable[[int], Floats]
    ) -> Iterator[tuple[str, Floats]]:
        """Yield a measurand and those of single lines, float64[devices], if they are wanted.

        `total` computes the measurand of all lines and `line` that of one. If no site has further
        lines, both are the same.
        """
        lines = self._wiring.lines
        wanted = [number for number, end in enumerate(LINES) if name + end in self._wanted]
        whole = None
        if name in self._wanted or (lines == 1 and 0 in wanted):
            whole = total()
            yield name, whole
        for number in wanted:
            column = self._missing
            if number < lines:
                column = whole if lines == 1 and whole is not None else line(number)
            yield name + LINES[number], column


def _power_factor(power: Floats, size: Floats) -> Floats:
    """Return active over apparent power, with the sign of the active power; 1 without power."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = power / size
    factor[size == 0.0] = 1.0
    return round_measurand("power_factor", factor)
