"""The programmes of all appliances as columns: durations, courses, and when their energy comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim_plugins.loads.household.catalogue import (
    APPLIANCES,
    KINDS,
    SPREAD,
    Course,
)

LIMIT = 2.0
"""Durations are lognormal, with the normal deviate within this on both sides."""
SPREAD_HOURS = 3
"""Nearly all energy of a use is within these hours of its middle."""


class Programmes:
    """All programmes as columns, and their courses as steps of the power, one after another."""

    def __init__(self) -> None:
        listed = [(kind, one) for kind, made in enumerate(APPLIANCES) for one in made.programmes]
        kind = np.array([k for k, _ in listed])
        self.minutes: Floats = np.array([one.minutes for _, one in listed], np.float64)
        self.count: NDArray[np.intp] = np.array([len(one.course) + 1 for _, one in listed])
        self.first: NDArray[np.intp] = np.cumsum(self.count) - self.count
        self.at: Floats = np.concatenate([_ends(one.course) for _, one in listed])
        levels = [np.array([level for _, level in one.course]) for _, one in listed]
        self.before: Floats = np.concatenate([[0.0, *level] for level in levels])
        self.after: Floats = np.concatenate([[*level, 0.0] for level in levels])
        mean: Floats = np.array([sum(p * level for p, level in one.course) for _, one in listed])
        weight: Floats = np.array([one.weight for _, one in listed])
        # Hours of a use at rated power.
        used = weight * mean * self.minutes / 60.0
        self.hours: Floats = np.bincount(kind, used, KINDS).astype(np.float64)
        middle = np.array([_middle(one.course) for _, one in listed])
        energy = weight * mean * self.minutes
        lag = np.bincount(kind, energy * middle * self.minutes, KINDS)
        self.lag_ms: NDArray[np.int64] = np.rint(
            60_000.0 * lag / np.bincount(kind, energy, KINDS)
        ).astype(np.int64)
        # The factor on the duration at the normal deviate 0, so that its mean is 1.
        self.median: Floats = 1.0 / np.array([_mean_factor(one.spread) for one in APPLIANCES])
        longest = self.minutes * (self.median * np.exp(LIMIT * SPREAD))[kind]
        self.longest_ms = int(60_000.0 * longest.max()) + 1
        self.spread: Floats = _spread_over_hours(self.lag_ms / 60_000.0)
        # The programme of a use: kind * 4 plus the number of the limits that a draw exceeds.
        self.limits: Floats = np.ones((KINDS, 3))
        self.start: NDArray[np.intp] = np.searchsorted(kind, np.arange(KINDS))
        for k in range(KINDS):
            total = np.cumsum(weight[kind == k])[:-1]
            self.limits[k, : len(total)] = total


def _mean_factor(spread: float) -> float:
    """Return the mean of exp(spread * z), with z normal and limited to LIMIT on both sides."""
    z = np.linspace(-6.0, 6.0, 2401)
    density = np.exp(-0.5 * z**2)
    values = np.exp(spread * np.clip(z, -LIMIT, LIMIT))
    return float((values * density).sum() / density.sum())


def _spread_over_hours(lag_minutes: Floats) -> Floats:
    """Return how the energy of uses is spread about its middle, [hours, kind].

    The rows are the hours -SPREAD_HOURS to SPREAD_HOURS from the hour in which the middle of the
    energy is expected; each column adds up to 1.
    """
    hours = np.arange(-SPREAD_HOURS, SPREAD_HOURS + 1)
    place = (np.arange(40) + 0.5) / 40.0
    deviate = np.linspace(-LIMIT, LIMIT, 9)
    density = np.exp(-0.5 * deviate**2)
    spread = np.zeros((len(hours), KINDS))
    for kind, one in enumerate(APPLIANCES):
        factor = np.exp(one.spread * deviate) / _mean_factor(one.spread)
        for programme in one.programmes:
            part = np.searchsorted(_ends(programme.course)[1:-1], place)
            level = np.array([level for _, level in programme.course])[part]
            minutes = programme.minutes * factor[:, None]
            past = (place * minutes - lag_minutes[kind]) / 60.0
            energy = programme.weight * level * minutes * density[:, None]
            near = np.maximum(1.0 - np.abs(hours[:, None, None] - past), 0.0)
            spread[:, kind] += (near * energy).sum(axis=(1, 2))
    total: Floats = spread / spread.sum(axis=0)
    return total


def _ends(course: Course) -> Floats:
    ends: Floats = np.concatenate([[0.0], np.cumsum([part for part, _ in course])])
    if abs(ends[-1] - 1.0) > 1e-9:
        raise ValueError(f"the parts of a course add up to {ends[-1]}, not 1")
    return ends


def _middle(course: Course) -> float:
    """Return the mean time of the energy of a course, as a share of its duration."""
    ends = _ends(course)
    energy = np.array([part * level for part, level in course])
    return float((energy * (ends[1:] + ends[:-1])).sum() / (2.0 * energy.sum()))


PROGRAMMES = Programmes()
