"""How plants that follow the sun or the wind are held below what they could yield."""

from __future__ import annotations

import numpy as np

from gridsim.helpers.randomness import Floats


class Curtailment:
    """The power limits of n plants; each moves at its rate, and is at the rating at first."""

    def __init__(self, rated: Floats, rate: Floats) -> None:
        """`rated` in kW and `rate` in kW per second, float64[n]."""
        self._rated = rated
        self._rate = rate
        self._limit = rated.copy()
        self._limited = False

    def held(
        self, power: Floats, dt_s: float, setpoint_kw: Floats, max_kw: Floats | None = None
    ) -> Floats:
        """`power` below the limits at the end of a tick, float64[n] kW.

        The limits move towards the setpoint or `max_kw`, whichever is less; to the rating
        where there is neither (NaN, and inf or None). Once per tick.
        """
        asked = ~np.isnan(setpoint_kw)
        if not (self._limited or asked.any() or max_kw is not None):
            return power
        wanted = np.where(asked, setpoint_kw, self._rated)
        if max_kw is not None:
            wanted = np.minimum(wanted, max_kw)
        wanted = np.clip(wanted, 0.0, self._rated)
        step = self._rate * dt_s
        gap = wanted - self._limit
        # Exactly the wanted one where it is reached: a sum may miss it by a rounding.
        moved = self._limit + np.clip(gap, -step, step)
        self._limit = np.where(np.abs(gap) <= step, wanted, moved)
        self._limited = bool((self._limit < self._rated).any())
        return np.minimum(power, self._limit) if self._limited else power
