"""The cars: sizes of their batteries, targets of their owners, and how often they are plugged in.

The sizes are rounded usable capacities of the best-selling battery cars in Europe from 2019 to 2023
(small cars with 25 to 46 kWh, compact cars with 51 to 64, large ones with 70 and more); the shares
are an estimate from their registrations. Their mean is 60 kWh.

The shares of the targets are an estimate, because no published count of limits at home was found:
makers advise 80 % (90 % in older cars) for cells of nickel, manganese and cobalt, and 100 % at
least once a week for cells of iron phosphate, which about a third of the cars have.

Owners plug in two to three times a week, and less often with a larger battery (Gonzalez Venegas,
Petit, Perez: Plug-in behavior of electric vehicles users, eTransportation 10 (2021), of the 700
cars of Electric Nation). The exponent of the capacity is an estimate: it gives 5.7 times a week
for 25 kWh and 3.6 for 80 kWh, around the .58 times a day of Trondheim.
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Draws, Floats, Keys

_CAPACITY_KWH = np.array([25.0, 37.0, 46.0, 51.0, 58.0, 64.0, 75.0, 77.0, 93.0])
_CAPACITY_SHARES = np.array([0.07, 0.09, 0.10, 0.10, 0.20, 0.12, 0.18, 0.09, 0.05])
_TARGETS = np.array([0.8, 0.9, 1.0])
_TARGET_SHARES = np.array([0.5, 0.15, 0.35])
_PER_DAY, _AT_KWH, _EXPONENT = 0.58, 60.0, -0.4
_MOST_PER_DAY = 0.8


def drawn_cars(draws: Draws, keys: Keys, session: Keys | int) -> tuple[Floats, Floats]:
    """Return the capacities, kWh, and the targets (shares) of some cars, float64[k] each.

    `session` is 0 for the only car of a home; otherwise it identifies the session, because cars
    change.
    """
    u = draws.uniform4("ev_charger/car", keys, session)
    return _chosen(_CAPACITY_KWH, _CAPACITY_SHARES, u[0]), _chosen(_TARGETS, _TARGET_SHARES, u[1])


def usual_sessions_per_day(capacity_kwh: Floats) -> Floats:
    """Return the mean number of sessions a day at home of cars with these batteries."""
    per_day: Floats = _PER_DAY * (capacity_kwh / _AT_KWH) ** _EXPONENT
    return np.minimum(per_day, _MOST_PER_DAY)


def energy_factor(sessions_per_day: Floats) -> Floats:
    """Return the factor on a session's energy that keeps the energy of a mean day."""
    factor: Floats = _PER_DAY / np.maximum(sessions_per_day, 1e-9)
    return factor


def _chosen(values: Floats, shares: Floats, u: Floats) -> Floats:
    chosen: Floats = values[np.searchsorted(np.cumsum(shares)[:-1], u, side="right")]
    return chosen
