"""The homes: their base load, and the appliances that each owns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys
from gridsim_plugins.loads.household.catalogue import APPLIANCES, KINDS, OWNED, SHARE
from gridsim_plugins.loads.household.profile import H0, Profile
from gridsim_plugins.loads.household.programmes import PROGRAMMES

_HOURS_PER_YEAR = 8760.0
_LARGEST_KWH = 250_000.0
"""The largest annual energy for which the number of uses grows; at a larger site the uses have more
power.
"""
_ONE_HOME_KWH = 6_000.0
"""The occupants of a site with a larger annual energy than this count as several households."""
_USUAL_W = 456.6
"""The mean power of a home of 4,000 kWh a year, for which the rated powers are given."""
_BASE_GROWTH = 0.3
"""The base load grows with this power of the annual energy among the homes of one stanza."""
_BASE_SCATTER = 0.22
"""The standard deviation of the logarithm of the base load at equal annual energy: with a spread
of the annual energy of 0.5, 90 % of the homes are within 70 to 250 W for 4,500 kWh a year."""
_MOST_BASE = 0.6
"""The largest share of the base load in a home's energy."""
_INTENSITY = 0.35
"""The standard deviation of the logarithm of how much a home uses an appliance it owns."""
# Fridge-freezers, refrigerators, freezers: share of homes, running W (median), share of the time
# on, period in minutes. Saturation by Richardson et al. (2010) and Destatis; power and cycles of
# devices of class A+ to A+++.
_COLD_OWNED = np.array([0.62, 0.42, 0.50])
_COLD_WATTS = np.array([92.0, 70.0, 84.0])
_COLD_ON = np.array([0.40, 0.30, 0.36])
_COLD_MINUTES = np.array([52.0, 44.0, 58.0])
_MOST_COLD = 0.30
"""The largest share of the cold appliances in the base load of a home."""
COLD_KINDS = len(_COLD_OWNED)


@dataclass(frozen=True, slots=True, eq=False)
class Cold:
    """Cold appliances, as columns; the appliances of one home are at different indices."""

    home: NDArray[np.intp]
    keys: Keys
    power_mw: Floats
    """The mean power while running, mW."""
    on: Floats
    """The share of the time in which it runs."""
    period_ms: NDArray[np.int64]
    phase_ms: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """The property of n homes; the powers are those of one of `parts` equal parts of the site."""

    parts: Floats
    """The number of equal parts of a site: 1, or more for a very large annual energy."""
    calm: Floats
    """The effect of the occupants' presence: 1 for a home, less where there are many households,
    by the square root of their number."""
    standby_mw: NDArray[np.int64]
    watts: Floats
    """The rated power of the appliances, [kind, n]."""
    rate: Floats
    """The mean number of uses per hour over the year, [kind, n]."""
    cold: Cold


def draw_homes(
    keys: Keys, draws: Draws, annual_kwh: Floats, factor: Floats, profile: Profile = H0
) -> Homes:
    """Return the homes of annual energies; `factor` is the part of the energy that was drawn.

    The sum of base load and appliances of each home is its annual energy. The mean of the base
    load is `profile.base` of the energy, and each appliance's mean is its share of the rest.
    """
    parts = np.maximum(annual_kwh / _LARGEST_KWH, 1.0)
    mean_w = annual_kwh / parts / _HOURS_PER_YEAR * 1000.0
    base = _base_share(keys, draws, profile.base * factor) * mean_w
    cold, cold_w = _draw_cold(keys, draws, base)
    kinds = np.arange(KINDS)[:, None]
    u = draws.uniform4("household/owned", keys, kinds)
    owned = u[0] < OWNED[:, None]
    deviate = _normal(u[1], u[2])
    second = draws.normal("household/rated", keys, kinds)
    scatter = np.array([one.scatter for one in APPLIANCES])[:, None]
    median = np.array([one.watts for one in APPLIANCES])[:, None]
    watts = median * np.exp(scatter * np.clip(second, -2.5, 2.5))
    growth = np.array([one.growth for one in APPLIANCES])[:, None]
    watts *= (mean_w / _USUAL_W) ** growth
    want = owned * (SHARE * _BALANCE / OWNED)[:, None] * np.exp(_INTENSITY * deviate)
    total = np.zeros(len(keys))
    for row in want:
        total += row
    energy_w = want * ((mean_w - base) / total)
    rate = energy_w / (watts * PROGRAMMES.hours[:, None])
    standby = np.rint(np.maximum(base - cold_w, 0.0) * 1000.0).astype(np.int64)
    calm = np.sqrt(_ONE_HOME_KWH / np.maximum(annual_kwh, _ONE_HOME_KWH))
    return Homes(parts, calm, standby, watts, rate, cold)


def _base_share(keys: Keys, draws: Draws, usual: Floats) -> Floats:
    deviate = draws.normal("household/base load", keys)
    own = np.exp(_BASE_SCATTER * deviate - 0.5 * _BASE_SCATTER**2)
    share: Floats = np.minimum(usual * own, _MOST_BASE)
    return share


def base_factor(spread: Floats, deviate: Floats) -> Floats:
    """Return the factor on the share of the base load of homes whose energy was drawn.

    `deviate` is the normal deviate of the annual energy, whose logarithm has the standard
    deviation `spread`. The mean of the base load is not changed by it.
    """
    # With energy A = exp(s z - s^2/2), the base load is proportional to A^g and of mean 1.
    base = np.exp(_BASE_GROWTH * spread * deviate - 0.5 * (_BASE_GROWTH * spread) ** 2)
    energy = np.exp(spread * deviate - 0.5 * spread**2)
    factor: Floats = base / energy
    return factor


def _draw_cold(keys: Keys, draws: Draws, base_w: Floats) -> tuple[Cold, Floats]:
    """Return the cold appliances, and their mean power by home, W."""
    n = len(keys)
    kinds = np.arange(COLD_KINDS)[:, None]
    u = draws.uniform4("household/cold", keys, kinds)
    z = draws.normal("household/cold power", keys, kinds)
    owned = u[0] < _COLD_OWNED[:, None]
    # Nearly every home has a place to cool food.
    owned[1] |= ~owned[0] & ~owned[1]
    on = _COLD_ON[:, None] * (0.75 + 0.5 * u[1])
    watts = _COLD_WATTS[:, None] * np.exp(0.25 * np.clip(z, -2.5, 2.5))
    mean = np.zeros(n)
    for has, running, part in zip(owned, watts, on, strict=True):
        mean += np.where(has, running * part, 0.0)
    fits = np.minimum(_MOST_COLD * base_w / mean, 1.0)
    kind, home = np.nonzero(owned)
    period = _COLD_MINUTES[kind] * (0.6 + 0.8 * u[2, kind, home])
    phase = u[3, kind, home] * period
    cold = Cold(
        home,
        keys[home] + kind.astype(np.uint64),
        (watts[kind, home] * fits[home]) * 1000.0,
        on[kind, home],
        (period * 60_000.0).astype(np.int64),
        (phase * 60_000.0).astype(np.int64),
    )
    return cold, mean * fits


def _normal(u1: Floats, u2: Floats) -> Floats:
    deviate: Floats = np.sqrt(-2.0 * np.log(u1)) * np.cos(2.0 * np.pi * u2)
    return deviate


# An appliance's mean over many homes is its share, although each home's uses are scaled to its
# annual energy: found by drawing many homes.
_BALANCE: Floats = np.array(
    [1.010, 0.974, 0.972, 0.967, 0.972, 0.963, 1.000, 0.970, 1.039, 0.961,
     0.967, 0.968, 1.192, 0.975, 0.973, 0.981, 0.987, 0.962, 1.049]
)  # fmt: skip
