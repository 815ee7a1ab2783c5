"""Values of a fleet beyond the bounds of its devices, clipped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.contracts.results import Clipped

# A sum of powers may exceed the rated power by the rounding of its terms.
_ROUNDING = 1e-9
_SOC_ALLOWED = 50.0 + _ROUNDING
"""The largest distance of a state of charge from 50 %."""


class Clipping:
    """The bounds of the devices of one fleet, and the values beyond them so far."""

    def __init__(self, plugin: str, rated_kw: Floats, ids: Sequence[str]) -> None:
        """Take the rated power of each device, float64[n], kW, and the devices' ids."""
        self._plugin = plugin
        self._ids = ids
        self._rated_kw = rated_kw
        self._least_kw = -rated_kw
        self._allowed_kw = rated_kw * (1.0 + _ROUNDING) + _ROUNDING
        self._least_allowed_kw = -self._allowed_kw
        self._new: list[Clipped] = []
        self.totals: Counter[str] = Counter()
        """The number of values clipped so far, by column."""

    def holds_power(self, values: object) -> TypeGuard[Floats]:
        """Return whether `power` would return the values unchanged, with one check instead of
        two.
        """
        return self._fits(values) and self._all(np.abs(values) <= self._allowed_kw)

    def holds_draw(self, values: object) -> TypeGuard[Floats]:
        """Return whether the values are valid lower limits of power: none is positive."""
        return self._fits(values) and self._all(
            (values <= 0.0) & (values >= self._least_allowed_kw)
        )

    def holds_feed(self, values: object) -> TypeGuard[Floats]:
        """Return whether the values are valid upper limits of power: none is negative."""
        return self._fits(values) and self._all((values >= 0.0) & (values <= self._allowed_kw))

    def holds_soc(self, values: object) -> TypeGuard[Floats]:
        """Return whether `soc` would return the values unchanged."""
        return self._fits(values) and not np.count_nonzero(np.abs(values - 50.0) > _SOC_ALLOWED)

    def holds(self, power: Floats, soc: Floats | None) -> bool:
        """Return whether the values of several ticks, float64[k, n], are within the bounds."""
        if np.count_nonzero(np.abs(power) <= self._allowed_kw) != power.size:
            return False
        return soc is None or not np.count_nonzero(np.abs(soc - 50.0) > _SOC_ALLOWED)

    def _all(self, mask: NDArray[np.bool_]) -> bool:
        return bool(np.count_nonzero(mask) == len(self._rated_kw))

    def _fits(self, values: object) -> TypeGuard[Floats]:
        return (
            type(values) is np.ndarray
            and values.dtype == np.float64
            and values.shape == self._rated_kw.shape
        )

    def power(self, name: str, values: Floats) -> Floats:
        """Return power, float64[n], kW, within the rated power of each device."""
        beyond = np.abs(values) > self._allowed_kw
        if not beyond.any():
            return values
        row = int(np.argmax(beyond))
        self._note(name, beyond, f"{values[row]:g} kW", f"rated {self._rated_kw[row]:g} kW", row)
        return np.clip(values, self._least_kw, self._rated_kw)

    def within(self, name: str, values: Floats, low: Floats, high: Floats) -> Floats:
        """Return power, float64[n], kW, within the devices' capability from `low` to `high`."""
        inside = np.minimum(np.maximum(values, low), high)
        beyond = np.abs(values - inside) > self._allowed_kw - self._rated_kw
        if beyond.any():
            row = int(np.argmax(beyond))
            bounds = f"from {low[row]:g} to {high[row]:g} kW"
            self._note(name, beyond, f"{values[row]:g} kW", bounds, row)
        return inside

    def soc(self, values: Floats) -> Floats:
        """Return states of charge, float64[n], %, from 0 to 100; NaN stays."""
        beyond = np.abs(values - 50.0) > _SOC_ALLOWED
        if not beyond.any():
            return values
        row = int(np.argmax(beyond))
        self._note("current_soc", beyond, f"{values[row]:g} %", "from 0 to 100 %", row)
        return np.clip(values, 0.0, 100.0)

    def take(self) -> tuple[Clipped, ...]:
        """Return the columns that were clipped for the first time since the last call."""
        taken = tuple(self._new)
        self._new.clear()
        return taken

    def _note(self, name: str, beyond: NDArray[np.bool_], value: str, bound: str, row: int) -> None:
        if name not in self.totals:
            self._new.append(Clipped(self._plugin, name, f"{value} for {self._ids[row]}, {bound}"))
        self.totals[name] += int(beyond.sum())
