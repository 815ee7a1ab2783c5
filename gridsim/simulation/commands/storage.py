"""Target states of charge: storage runs at full power, and in the last tick at part of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful

# %, half the resolution of a reading: closer than this counts as reached.
_TOLERANCE = 0.05
# Below this share of the rated power, losses and standby hide the effect of power on the charge.
_MEASURABLE = 0.02


class SocTargets(Stateful):
    """The target states of charge of n devices; most devices have none."""

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
    indices = ("arrived",)

    def __init__(self, rated: Floats) -> None:
        """Start without targets; `rated`, float64[n], kW, is full power."""
        n = len(rated)
        self._rated = rated
        self._target = np.full(n, np.nan)
        self._upwards = np.zeros(n, np.bool_)
        self._aimed = np.zeros(n, np.bool_)
        """True where the direction to the target is known: up or down."""
        self._reached = np.zeros(n, np.bool_)
        """True where the target was reached since it was set; it is held from then on."""
        self._away = np.zeros(n, np.bool_)
        """True where there is no storage now, for example no car at the charger."""
        self._gain = np.full(n, np.nan)
        """The last measured gain, % per kW and tick."""
        self._before: tuple[Floats, Floats] | None = None
        self._followed = np.zeros(n, np.bool_)
        """True where `_before` holds the last tick's values; without any target nothing is
        recorded.
        """
        self.arrived = np.empty(0, np.intp)
        """The devices that reached their target in the last `advance`."""

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
        """Return whether all of the places that have storage now have reached their target."""
        return bool((self._reached[places] | self._away[places]).all())

    def advance(self, soc: Floats, power: Floats) -> Floats:
        """Return the setpoints: float64[n], kW, NaN for devices without a target or storage.

        `soc`, %, is the state of charge at the start of the last tick, and `power`, kW, the
        output in it. The present state of charge is estimated from them and the gain measured
        before. Called once per tick.
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
        arrived = self._aimed[at] & (ahead <= _TOLERANCE) & ~self._reached[at]
        self.arrived = at[arrived]
        self._reached[self.arrived] = True
        full = np.where(self._upwards[at], -1.0, 1.0) * self._rated[at]
        # Charging raises the state of charge at negative power, so the gain is negative.
        setpoint = np.where(np.isnan(gain), full, left / np.where(gain < 0.0, gain, -1.0))
        setpoint = np.where(np.abs(setpoint) < np.abs(full), setpoint, full)
        setpoint = np.where(self._reached[at], 0.0, setpoint)
        result = np.full(len(soc), np.nan)
        result[at] = np.where(np.isnan(left), np.nan, setpoint)
        return result

    def _learn(self, soc: Floats, power: Floats, at: NDArray[np.intp]) -> None:
        if self._before is not None:
            old_soc, old_power = self._before[0][at], self._before[1][at]
            usable = self._followed[at] & (np.abs(old_power) > _MEASURABLE * self._rated[at])
            gain = (soc[at] - old_soc) / np.where(usable, old_power, 1.0)
            usable &= gain < 0.0
            self._gain[at[usable]] = gain[usable]
        self._before = (soc, power)
        self._followed[at] = True
