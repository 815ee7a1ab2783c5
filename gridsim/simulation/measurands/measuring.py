"""The computation of the measurands that a run wants, tick by tick."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, State, Staying, carry
from gridsim.contracts.measurands import (
    ALARMS_COLUMN,
    DER_REGISTERS,
    ELECTRICAL,
    FREQUENCY,
    SITE_REGISTERS,
)
from gridsim.simulation.measurands.conditions import Limits
from gridsim.simulation.measurands.electrical import Electrical
from gridsim.simulation.measurands.frequency import SiteFrequency
from gridsim.simulation.measurands.grid import Grid
from gridsim.simulation.measurands.registers import Registers, hundredths
from gridsim.simulation.measurands.rounding import VALID, round_measurand
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.site_fleets import FleetOutputs


class Measuring:
    """The measurands of a scenario; nothing is computed unless a measurand is wanted."""

    def __init__(self, scenario: Scenario, grid: Grid | None) -> None:
        """Measure in a grid, which may be None if no electrical measurand is wanted."""
        self._wanted = frozenset(scenario.measurands)
        self._project = scenario.roster.project
        devices, sites = len(scenario.roster), len(scenario.sites)
        self._ders = self._registers(DER_REGISTERS, devices, scenario.tick_ms)
        self._sites = self._registers(SITE_REGISTERS, sites, scenario.tick_ms)
        electrical = self._wanted & (ELECTRICAL | {ALARMS_COLUMN})
        self._electrical = Electrical(scenario, electrical, grid) if grid and electrical else None
        self._frequency: SiteFrequency | None = None
        self._limits: Limits | None = None
        if grid is not None and ALARMS_COLUMN in self._wanted:
            self._limits = Limits.of_frequency(grid.nominal_hz)
        if not self._wanted.isdisjoint((FREQUENCY, ALARMS_COLUMN)):
            self._frequency = SiteFrequency(scenario.draws, scenario.sites)

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return {name: one.state() for name, one in self._parts().items()}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        for name, one in self._parts().items():
            one.restore(state[name])

    def carry_over(self, older: Measuring, devices: Staying, sites: Staying) -> None:
        """Copy the registers of the devices and sites that stay."""
        if self._ders is not None and older._ders is not None:
            carry(self._ders, older._ders, devices)
        if self._sites is not None and older._sites is not None:
            carry(self._sites, older._sites, sites)

    def take(
        self, time_ms: int, fleets: FleetOutputs, real: Floats, meter: Floats
    ) -> Mapping[str, Floats]:
        """Return the measurands of a tick, float64[devices], rounded, then count the tick.

        `fleets` has the reported output of each device and `real` the output that counts in its
        site, `meter` the gross load of each site: kW, not rounded. A register has its value at the
        tick's start, as the state of charge.
        """
        values: dict[str, Floats] = {}
        power = fleets.power
        frequency_alarms: NDArray[np.int64] | None = None
        if self._frequency is not None:
            of_sites = round_measurand(FREQUENCY, self._frequency.at(time_ms))
            if FREQUENCY in self._wanted:
                values[FREQUENCY] = of_sites.take(self._project, mode=VALID)
            if self._limits is not None:
                frequency_alarms = self._limits.alarms(of_sites)
        if self._electrical is not None:
            values |= self._electrical.take(time_ms, power, real, fleets.reactive, meter)
        if ALARMS_COLUMN in values and frequency_alarms is not None:
            values[ALARMS_COLUMN] += frequency_alarms.take(self._project, mode=VALID)
        if self._ders is None and self._sites is None:
            return values
        exported = hundredths(power)
        if self._ders is not None:
            self._read(self._ders, DER_REGISTERS, values)
            self._ders.add(exported)
        if self._sites is not None:
            self._read(self._sites, SITE_REGISTERS, values)
            own = exported if real is power else hundredths(real)
            fed = np.bincount(self._project, own, len(meter)).astype(np.int64)
            self._sites.add(fed - hundredths(meter))
        return values

    def _read(self, registers: Registers, names: tuple[str, str], into: dict[str, Floats]) -> None:
        for which, name in enumerate(names):
            if name in self._wanted:
                column = registers.read(which)
                into[name] = (
                    column if registers is self._ders else column.take(self._project, mode=VALID)
                )

    def _registers(self, names: tuple[str, str], n: int, tick_ms: int) -> Registers | None:
        return None if self._wanted.isdisjoint(names) else Registers(n, tick_ms)

    def _parts(self) -> dict[str, Registers]:
        parts = {"ders": self._ders, "sites": self._sites}
        return {name: one for name, one in parts.items() if one is not None}
