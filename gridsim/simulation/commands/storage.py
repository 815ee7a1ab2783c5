"""Bringing storage to a state of charge: at full power, and the last tick at a part of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful

# %, half of what a reading shows: this close is there.
_THERE = 0.05
# Below this share of the rated power, losses and standby hide what power does to the charge.
_TELLING = 0.02


class SocTargets(Stateful):
    """The targets of n devices, most of which have none."""

    kept = (
        "_target",
        "_upwards",
        "_aimed",
        "_reached",
        "_away",
        "_gain",
        "_before",
        "_followed",
        "arrived",
    )

    def __init__(self, rated: Floats) -> None:
        """`rated` is float64[n], kW: full power."""
        n = len(rated)
        self._rated = rated
        self._target = np.full(n, np.nan)
        self._upwards = np.zeros(n, np.bool_)
        self._aimed = np.zeros(n, np.bool_)
        """Whether the way to the target is known: up or down."""
        self._reached = np.zeros(n, np.bool_)
        """Whether the target was reached since it was put: it is then held."""
        self._away = np.zeros(n, np.bool_)
        """Whether there is no storage now: no car at the charger."""
        self._gain = np.full(n, np.nan)
        """% per kW and tick, as last seen."""
        self._before: tuple[Floats, Floats] | None = None
        self._followed = np.zeros(n, np.bool_)
        """Whether `_before` is of the last tick: nobody is followed while nobody has a target."""
        self.arrived = np.empty(0, np.intp)
        """Who came to their target in the last `advance`."""

    @property
    def any(self) -> bool:
        return not np.isnan(self._target).all()

    def put(self, places: NDArray[np.intp], target: Floats) -> None:
        self._target[places] = target
        self._aimed[places] = self._reached[places] = False
        self._gain[places] = np.nan
        self._followed[places] = False

    def clear(self, places: NDArray[np.intp]) -> None:
        self._target[places] = np.nan

    def all_reached(self, places: NDArray[np.intp]) -> bool:
        """Whether all of the places that have storage now have come to their target."""
        return bool((self._reached[places] | self._away[places]).all())

    def advance(self, soc: Floats, power: Floats) -> Floats:
        """What to ask of each device: float64[n], kW, NaN where it has no target or no storage.

        `soc`, %, is that at the start of the last tick, and `power`, kW, flowed over it; so
        the charge now is a guess from what power did to it before. Called once per tick.
        """
        at = np.flatnonzero(~np.isnan(self._target))
        self._learn(soc, power, at)
        gain = self._gain[at]
        step = gain * power[at]
        now = soc[at] + np.where(np.isnan(step), 0.0, step)
        left = self._target[at] - now
        fresh = ~self._aimed[at] & ~np.isnan(left)
        self._upwards[at[fresh]] = left[fresh] > 0.0
        self._aimed[at[fresh]] = True
        ahead = np.where(self._upwards[at], left, -left)
        self._away[at] = np.isnan(left)
        here = self._aimed[at] & (ahead <= _THERE) & ~self._reached[at]
        self.arrived = at[here]
        self._reached[self.arrived] = True
        full = np.where(self._upwards[at], -1.0, 1.0) * self._rated[at]
        # Upwards is charging, which is negative; so is the gain.
        wanted = np.where(np.isnan(gain), full, left / np.where(gain < 0.0, gain, -1.0))
        wanted = np.where(np.abs(wanted) < np.abs(full), wanted, full)
        wanted = np.where(self._reached[at], 0.0, wanted)
        result = np.full(len(soc), np.nan)
        result[at] = np.where(np.isnan(left), np.nan, wanted)
        return result

    def _learn(self, soc: Floats, power: Floats, at: NDArray[np.intp]) -> None:
        if self._before is not None:
            old_soc, old_power = self._before[0][at], self._before[1][at]
            tells = self._followed[at] & (np.abs(old_power) > _TELLING * self._rated[at])
            gain = (soc[at] - old_soc) / np.where(tells, old_power, 1.0)
            tells &= gain < 0.0
            self._gain[at[tells]] = gain[tells]
        self._before = (soc, power)
        self._followed[at] = True
