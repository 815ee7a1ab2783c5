"""The presence of the occupants: awake at home, asleep or out, or away for days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys
from gridsim.helpers.holidays import Holidays
from gridsim_plugins.loads.household.habits import LASTING, PART, bias, draw_habits, quantile
from gridsim_plugins.loads.household.profile import DAY_KIND, HALF_YEAR_DAYS, HOUR_MS, Profile

_DAY_MS = 24 * HOUR_MS
_KNOT_MS = 2 * HOUR_MS
"""The time between independent draws of the presence: it is correlated over about two hours."""
_BLOCK_MS = 28 * _DAY_MS
"""The length of a block of time; a home has at most one absence in a block."""
_SHORTEST_MS, _LONGEST_MS = int(1.5 * _DAY_MS), 14 * _DAY_MS
_AWAY, _AWAY_SEASON = 0.055, 0.035
"""The share of the homes whose occupants are away: the mean, and the amplitude of the year with
most in July. About 20 days a year, near the length of the residents' trips in travel surveys."""
_KEPT_KNOTS = 8
_DAY_BEGINS_MS = 4 * HOUR_MS
_DAY_SCATTER = 0.35
"""The standard deviation of the logarithm of how much is used on a day, beside the uses'
randomness: measured homes vary from day to day by a quarter to a third."""


class Presence:
    """The presence of the occupants of n homes, as a function of (seed, home, time)."""

    def __init__(self, keys: Keys, draws: Draws, profile: Profile, holidays: Holidays) -> None:
        self._keys, self._draws, self._holidays = keys, draws, holidays
        self._habits, self._factor = draw_habits(keys, draws, profile)
        self._bias = bias(profile)
        phase = draws.uniform("household/absence phase", keys) * _BLOCK_MS
        self._phase: NDArray[np.int64] = phase.astype(np.int64)
        self._block = np.full(len(keys), np.iinfo(np.int64).min)
        self._leave = np.zeros(len(keys), np.int64)
        self._return = np.zeros(len(keys), np.int64)
        self._knots: dict[int, Floats] = {}
        self._day = np.full(len(keys), np.iinfo(np.int64).min)
        self._scale = np.ones(len(keys))

    def weights(
        self,
        time_ms: int,
        local_ms: NDArray[np.int64],
        southern: NDArray[np.bool_],
        probability: Floats,
        group: NDArray[np.intp],
    ) -> tuple[Floats, Floats]:
        """Return the weights of uses by active and by present occupants at UTC `time_ms`, [n].

        The mean of both over many homes is 1. `local_ms`, `southern` and `probability`, that
        someone is at home and awake, are those of groups of homes.
        """
        away = away_share(local_ms, southern)
        present = ~self._away(time_ms, southern[group])
        hour = (local_ms // HOUR_MS) % 24
        part = PART[hour]
        limit = np.array([quantile(float(one)) for one in probability])
        level = self._habits[part[group], np.arange(len(group))] + self._changing(time_ms)
        active = present & (level < limit[group])
        scale = self._scale_of_day(((local_ms - _DAY_BEGINS_MS) // _DAY_MS)[group])
        bias_now = self._bias[DAY_KIND[self._holidays.weekday(local_ms // _DAY_MS)], hour]
        chance = probability * (1.0 - away) * bias_now
        return (
            np.where(active, scale * self._factor * (1.0 / chance)[group], 0.0),
            np.where(present, scale * (1.0 / (1.0 - away))[group], 0.0),
        )

    def _scale_of_day(self, day: NDArray[np.int64]) -> Floats:
        """Return how much the homes use on their local days, with mean 1."""
        new = np.flatnonzero(day != self._day)
        if len(new):
            self._day[new] = day[new]
            deviate = self._draws.normal("household/day", self._keys[new], day[new])
            self._scale[new] = np.exp(_DAY_SCATTER * deviate - 0.5 * _DAY_SCATTER**2)
        return self._scale

    def _changing(self, time_ms: int) -> Floats:
        """Return the changing part of the process: normal, of variance 1 - LASTING, [n]."""
        knot, past = divmod(time_ms, _KNOT_MS)
        angle = 0.5 * np.pi * past / _KNOT_MS
        first, second = self._knot(knot), self._knot(knot + 1)
        level: Floats = np.cos(angle) * first + np.sin(angle) * second
        return level

    def _knot(self, knot: int) -> Floats:
        known = self._knots.get(knot)
        if known is None:
            if len(self._knots) >= _KEPT_KNOTS:
                self._knots.pop(min(self._knots))
            deviate = self._draws.normal("household/presence", self._keys, knot)
            known = self._knots[knot] = np.sqrt(1.0 - LASTING) * deviate
        return known

    def _away(self, time_ms: int, southern: NDArray[np.bool_]) -> NDArray[np.bool_]:
        block = (time_ms + self._phase) // _BLOCK_MS
        new = np.flatnonzero(block != self._block)
        if len(new):
            self._block[new] = block[new]
            u = self._draws.uniform4("household/absence", self._keys[new], block[new])
            length = _SHORTEST_MS + u[1] * (_LONGEST_MS - _SHORTEST_MS)
            leave = u[2] * (_BLOCK_MS - length)
            start = block[new] * _BLOCK_MS - self._phase[new]
            mean = 0.5 * (_SHORTEST_MS + _LONGEST_MS) / _BLOCK_MS
            middle = (start + leave + 0.5 * length).astype(np.int64)
            happens = u[0] < away_share(middle, southern[new]) / mean
            self._leave[new] = start + leave.astype(np.int64)
            self._return[new] = self._leave[new] + np.where(happens, length, 0.0).astype(np.int64)
        return (time_ms >= self._leave) & (time_ms < self._return)


def away_share(local_ms: NDArray[np.int64], southern: NDArray[np.bool_]) -> Floats:
    """Return the share of the homes whose occupants are away at local times."""
    turned = local_ms / _DAY_MS + np.where(southern, HALF_YEAR_DAYS, 0)
    share: Floats = _AWAY - _AWAY_SEASON * np.cos(2.0 * np.pi * (turned - 15.0) / 365.2425)
    return share
