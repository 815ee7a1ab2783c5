"""The sessions of cars at chargers of the kinds home, workplace, public and fast.

A session is a function of (seed, device, local day) alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys

DAY_MS = 86_400_000
SessionKind = Literal["home", "workplace", "public", "fast"]


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """The possible sessions, one per device and entry of the requested days, [k, m]."""

    arrival_ms: NDArray[np.int64]
    """The local time of arrival, a whole minute."""
    departure_ms: NDArray[np.int64]
    energy_kwh: Floats
    """The AC energy that the car needs."""
    takes_place: NDArray[np.bool_]
    """False where there is no session."""
    car: NDArray[np.int64]
    """The number of the car among those of the charger; 0 at a home, which has one car."""

    def some(self, rows: NDArray[np.intp], columns: slice) -> Sessions:
        """Return the sessions of the devices `rows` in these columns."""
        return Sessions(
            self.arrival_ms[rows, columns],
            self.departure_ms[rows, columns],
            self.energy_kwh[rows, columns],
            self.takes_place[rows, columns],
            self.car[rows, columns],
        )


IsWeekend = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""A function that returns true for the local days of k devices, int64[k, m], that are weekends or
public holidays."""
Planner = Callable[[Draws, Keys, NDArray[np.int64], Floats, IsWeekend], Sessions]
"""A function (draws, keys, consecutive local days int64[k, m], sessions per day, weekends) of one
kind."""


def whole_minutes(hours: Floats) -> NDArray[np.int64]:
    """Return a time in hours as whole minutes, in ms."""
    minutes: NDArray[np.int64] = np.floor(hours * 60.0).astype(np.int64)
    return minutes * 60_000


def is_weekend(days: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return true for the local days (since 1970-01-01, a Thursday) that are weekends.

    This is the `IsWeekend` of places without public holidays.
    """
    weekend: NDArray[np.bool_] = (days + 3) % 7 >= 5
    return weekend
