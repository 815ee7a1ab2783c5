"""Power limits for plants that follow the sun or the wind."""

from __future__ import annotations

from typing import Any

import numpy as np

from gridsim.helpers.randomness import Floats


class Curtailment:
    """The power limits of n plants. Each limit starts at the rating and moves at its rate."""

    def __init__(self, rated: Floats, rate: Floats) -> None:
        """Take the rating in kW and the rate in kW per second, both float64[n]."""
        self._rated = rated
        self._rate = rate
        self._limit = rated.copy()
        self._limited = False

    @property
    def is_limited(self) -> bool:
        """True if a limit is below its rating, so that it moves even without orders."""
        return self._limited

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"limit": self._limit.copy(), "limited": self._limited}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's state."""
        self._limit = np.array(state["limit"])
        self._limited = bool(state["limited"])

    def apply(
        self, power: Floats, dt_s: float, setpoint_kw: Floats, max_kw: Floats | None = None
    ) -> Floats:
        """Move the limits by one tick and return `power` reduced to them, float64[n], kW.

        A limit moves towards the lower of the setpoint and `max_kw`. Where neither is set
        (NaN, and inf or None), it moves towards the rating. Call it once per tick.
        """
        has_setpoint = ~np.isnan(setpoint_kw)
        if not (self._limited or has_setpoint.any() or max_kw is not None):
            return power
        target = np.where(has_setpoint, setpoint_kw, self._rated)
        if max_kw is not None:
            target = np.minimum(target, max_kw)
        target = np.clip(target, 0.0, self._rated)
        step = self._rate * dt_s
        gap = target - self._limit
        # Set a limit that reaches its target to the exact value: a sum could differ by a rounding
        # error.
        moved = self._limit + np.clip(gap, -step, step)
        self._limit = np.where(np.abs(gap) <= step, target, moved)
        self._limited = bool((self._limit < self._rated).any())
        return np.minimum(power, self._limit) if self._limited else power
