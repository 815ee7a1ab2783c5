"""The habits of homes: the parts of the day in which someone is usually at home and awake."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np

from gridsim.api import Draws, Floats, Keys
from gridsim_plugins.loads.household.hours import probability_table, profile_table
from gridsim_plugins.loads.household.profile import Profile

LASTING = 0.4
"""The share of the variance of the presence that lasts: a home's own habits."""
PART = np.array([0] * 11 + [1] * 6 + [2] * 7)
"""The part of the day of each hour: night and morning, day, evening."""
_PARTS = 3
_LARGEST_FACTOR = 2.0
"""The largest factor on the use: homes in which someone is hardly ever awake use less than their
annual energy.
"""
_SAMPLE = 2000
_DAYS = np.array([5.0, 1.0, 1.0]) / 7.0

quantile = NormalDist().inv_cdf


def draw_habits(keys: Keys, draws: Draws, profile: Profile) -> tuple[Floats, Floats]:
    """Return the homes' habits, [part of the day, n], and the factors on their use, [n].

    With its factor, each home uses its annual energy, however often someone is there.
    """
    habits = np.sqrt(LASTING) * draws.normal("household/habits", keys, np.arange(_PARTS)[:, None])
    return habits, _factor(habits, profile)


@cache
def bias(profile: Profile) -> Floats:
    """Return the mean of presence times factor over many homes, [kind of day, hour].

    Homes that are empty in the evening use more at other times, so it is not quite 1.
    """
    keys = np.arange(_SAMPLE, dtype=np.uint64)
    habits, factor = draw_habits(keys, Draws(0), profile)
    mean: Floats = np.array(
        [
            [(_presence(habits, kind, hour) * factor).mean() for hour in range(24)]
            for kind in range(3)
        ]
    )
    return mean


def _factor(habits: Floats, profile: Profile) -> Floats:
    energy = (profile_table(profile) - profile.base) * _DAYS[:, None]
    energy = energy / energy.sum()
    # Saturdays and Sundays have the same presence.
    rows = np.stack([energy[0], energy[1] + energy[2]])
    used = np.zeros(habits.shape[1])
    for kind in range(2):
        for hour in range(24):
            used += rows[kind, hour] * _presence(habits, kind, hour)
    factor: Floats = np.minimum(1.0 / used, _LARGEST_FACTOR)
    return factor


def _presence(habits: Floats, kind: int, hour: int) -> Floats:
    """Return the probability of presence of homes over that of all homes."""
    probability = float(probability_table()[kind, hour])
    limit = quantile(probability)
    deviate = (limit - habits[PART[hour]]) / np.sqrt(1.0 - LASTING)
    # The normal distribution function within 0.0002 (Page 1977).
    share = 1.0 / (1.0 + np.exp(-1.5976 * deviate - 0.07056 * deviate**3))
    presence: Floats = share / probability
    return presence
