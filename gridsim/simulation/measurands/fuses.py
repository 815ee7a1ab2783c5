"""The main fuses of sites: how often a current exceeds them. Nothing is switched off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, State, Staying
from gridsim.contracts.results import FuseOverload
from gridsim.simulation.measurands.grid import Grid
from gridsim.simulation.scenario import Scenario


class MainFuses:
    """The main fuses of the sites that have one, and their overloads so far."""

    def __init__(self, scenario: Scenario, grid: Grid) -> None:
        self._ids = scenario.sites.ids
        self._grid = grid
        self._rated = scenario.sites.main_fuse_a
        self._ticks = np.zeros(len(self._ids), np.int64)
        """The number of ticks in which the current of a line exceeded the fuse."""
        self._new: list[FuseOverload] = []

    @property
    def totals(self) -> dict[str, int]:
        """The number of ticks with an overload so far, by project."""
        return {self._ids[site]: int(self._ticks[site]) for site in self._sites(self._ticks > 0)}

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return {"ticks": self._ticks.copy()}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        self._ticks = np.array(state["ticks"])

    def carry_over(self, older: MainFuses, sites: Staying) -> None:
        """Copy the counts of the sites that stay."""
        self._ticks[sites.new] = older._ticks[sites.old]

    def check(self, time_ms: int, meter: Floats, real: Floats, reactive: Floats | None) -> None:
        """Compare the currents of a tick with the fuses.

        `meter` is the gross load of each site and `real` the output of each device, kW.
        """
        amperes = self._grid.amperes(time_ms, meter, real, reactive)
        # The comparison with NaN, of sites without a fuse, is false.
        over = amperes.max(axis=0) > self._rated
        if not over.any():
            return
        for site in self._sites(over & (self._ticks == 0)):
            line = int(np.argmax(amperes[:, site]))
            current = float(amperes[line, site])
            rated = float(self._rated[site])
            self._new.append(FuseOverload(self._ids[site], line + 1, current, rated))
        self._ticks += over

    def _sites(self, mask: NDArray[np.bool_]) -> list[int]:
        """Return the indices of the sites in a mask."""
        found: list[int] = np.flatnonzero(mask).tolist()
        return found

    def take(self) -> tuple[FuseOverload, ...]:
        """Return the first overload of each site since the last call."""
        taken = tuple(self._new)
        self._new.clear()
        return taken
