"""The uses of appliances: a random process per home, and the course of each use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys, Sites
from gridsim.helpers.holidays import Holidays
from gridsim_plugins.loads.household.catalogue import (
    APPLIANCES,
    KINDS,
    SCATTER_OF_USE,
    SPREAD,
    Needs,
)
from gridsim_plugins.loads.household.edges import Edges, joined
from gridsim_plugins.loads.household.homes import Homes
from gridsim_plugins.loads.household.hours import rates
from gridsim_plugins.loads.household.presence import Presence
from gridsim_plugins.loads.household.profile import Profile
from gridsim_plugins.loads.household.programmes import LIMIT, PROGRAMMES

SLOT_MS = 900_000
"""A quarter of an hour: rates are constant within it, and offsets of time zones are multiples of
it.
"""
_MOST_USES = 1000
"""The largest number of uses that a home starts in a slot."""
_ROWS_AT_ONCE = 8192
"""The number of pairs of slot and home that are computed together."""
_NEEDS = np.array([list(Needs).index(one.needs) for one in APPLIANCES])
LOOK_BACK_MS = -(-PROGRAMMES.longest_ms // SLOT_MS) * SLOT_MS
"""A use is shorter than this."""


class Uses:
    """The uses that start in slots of a quarter of an hour: a Poisson process per home.

    Its rate is the sum over the home's appliances at the local time, while its occupants are there.
    """

    def __init__(
        self,
        keys: Keys,
        draws: Draws,
        homes: Homes,
        sites: Sites,
        site: NDArray[np.intp],
        southern: NDArray[np.bool_],
        profile: Profile,
        holidays: Holidays,
    ) -> None:
        self._keys, self._draws, self._homes = keys, draws, homes
        self._holidays = holidays
        self._sites = sites
        self._presence = Presence(keys, draws, profile, holidays)
        # Homes in one zone and hemisphere share their clock and seasons.
        places = [(sites.timezone[one], south) for one, south in zip(site, southern, strict=True)]
        known: dict[tuple[str, bool], int] = {}
        self._group = np.array([known.setdefault(one, len(known)) for one in places], np.intp)
        first = np.unique(self._group, return_index=True)[1]
        self._first_site = np.asarray(site)[first]
        self._southern = southern[first]
        self._many = bool((homes.calm < 1.0).any())
        self._rates = rates(profile)
        self._drawn: tuple[int, Floats] | None = None

    def between(self, start_ms: int, end_ms: int, alive_ms: int | None = None) -> Edges:
        """Return the edges of the uses that start in the slots of [start_ms, end_ms).

        With `alive_ms`, uses that have ended by then are left out.
        """
        slots = np.arange(start_ms // SLOT_MS, end_ms // SLOT_MS)
        parts = -(-len(slots) * len(self._keys) // _ROWS_AT_ONCE)
        return joined(
            [self._in_slots(some, alive_ms) for some in np.array_split(slots, parts) if len(some)]
        )

    def _in_slots(self, slots: NDArray[np.int64], alive_ms: int | None) -> Edges:
        n = len(self._keys)
        middle = slots * SLOT_MS + SLOT_MS // 2
        local = np.stack([self._sites.local_ms(int(at))[self._first_site] for at in middle])
        south = np.broadcast_to(self._southern, local.shape)
        # [kind, slot, group]
        relative = np.moveaxis(self._rates.at(local, south, self._holidays), -1, 0)
        weights = self._weights(middle, local)
        rate = self._rate(relative, weights)
        count = _poisson(self._uniform(slots), rate.reshape(-1) * (SLOT_MS / 3_600_000.0))
        busy = np.flatnonzero(count)
        count = count[busy]
        row = np.repeat(busy, count)
        place, home = row // n, row % n
        number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        number += slots[place] * _MOST_USES
        u = self._draws.uniform4("household/use", self._keys[home], number)
        kind = self._kind(u[0], place, home, relative, weights)
        begins = slots[place] * SLOT_MS + (u[1] * SLOT_MS).astype(np.int64)
        which = (u[3][:, None] > PROGRAMMES.limits[kind]).sum(axis=1)
        programme = PROGRAMMES.start[kind] + which
        deviate = np.clip(_normal(u[2]), -LIMIT, LIMIT)
        factor = PROGRAMMES.median[kind] * np.exp(SPREAD[kind] * deviate)
        lasts = PROGRAMMES.minutes[programme] * 60_000.0 * factor
        # The low bits of a uniform number are one, too.
        other = (u[3] * 65_536.0) % 1.0
        watts = self._homes.watts[kind, home] * (1.0 + SCATTER_OF_USE[kind] * (2.0 * other - 1.0))
        if alive_ms is not None:
            alive = np.flatnonzero(begins + lasts > alive_ms)
            home, programme, begins = home[alive], programme[alive], begins[alive]
            lasts, watts = lasts[alive], watts[alive]
        return _courses(home, programme, begins, lasts, watts)

    def _uniform(self, slots: NDArray[np.int64]) -> Floats:
        """Return the uniforms for the numbers of uses, [slot * n]; four slots share a draw."""
        found = []
        for slot in slots.tolist():
            block, place = divmod(slot, 4)
            if self._drawn is None or self._drawn[0] != block:
                drawn = self._draws.uniform4("household/uses", self._keys, block)
                self._drawn = (block, drawn)
            found.append(self._drawn[1][place])
        return np.concatenate(found)

    def _weights(
        self, middle: NDArray[np.int64], local: NDArray[np.int64]
    ) -> tuple[Floats | None, ...]:
        """Return the weights of the uses of each of `Needs`, [slot, n], or None for 1."""
        probability = self._rates.active(local, self._holidays)
        rows = [
            self._presence.weights(int(at), here, self._southern, likely, self._group)
            for at, here, likely in zip(middle, local, probability, strict=True)
        ]
        active, present = (np.stack(one) for one in zip(*rows, strict=True))
        if self._many:
            calm = self._homes.calm
            active, present = 1.0 + (active - 1.0) * calm, 1.0 + (present - 1.0) * calm
        return active, present, None

    def _rate(self, relative: Floats, weights: tuple[Floats | None, ...]) -> Floats:
        """Return the starts per hour, [slot, home]."""
        total = np.zeros((relative.shape[1], len(self._keys)))
        for needs, weight in enumerate(weights):
            part = np.zeros_like(total)
            for kind in np.flatnonzero(needs == _NEEDS):
                part += self._homes.rate[kind] * relative[kind][:, self._group]
            total += part if weight is None else part * weight
        return total

    def _kind(
        self,
        u: Floats,
        place: NDArray[np.intp],
        home: NDArray[np.intp],
        relative: Floats,
        weights: tuple[Floats | None, ...],
    ) -> NDArray[np.intp]:
        """Return the kind of appliance of each use, drawn by the kinds' rates."""
        group = self._group[home]
        chosen = [None if one is None else one[place, home] for one in weights]
        total = np.empty((KINDS, len(home)))
        so_far = np.zeros(len(home))
        for kind in range(KINDS):
            weight = chosen[_NEEDS[kind]]
            rate = self._homes.rate[kind][home] * relative[kind][place, group]
            so_far = so_far + (rate if weight is None else rate * weight)
            total[kind] = so_far
        below: NDArray[np.intp] = (total < u * so_far).sum(axis=0)
        return np.minimum(below, KINDS - 1)


def _courses(
    home: NDArray[np.intp],
    programme: NDArray[np.intp],
    begins: NDArray[np.int64],
    lasts: Floats,
    watts: Floats,
) -> Edges:
    """Return the edges of uses."""
    steps = PROGRAMMES.count[programme]
    use = np.repeat(np.arange(len(home)), steps)
    first = PROGRAMMES.first[programme] - (np.cumsum(steps) - steps)
    place = np.arange(len(use)) + first[use]
    milliwatts = (watts * 1000.0)[use]
    after = np.rint(PROGRAMMES.after[place] * milliwatts)
    before = np.rint(PROGRAMMES.before[place] * milliwatts)
    times = begins[use] + (PROGRAMMES.at[place] * lasts[use]).astype(np.int64)
    return Edges(times, home.astype(np.int32)[use], (after - before).astype(np.int32))


def _normal(u: Floats) -> Floats:
    """Return the normal quantile of uniforms, within 0.003 (Winitzki's inverse error function)."""
    x = 2.0 * u - 1.0
    a = 0.147
    log = np.log(1.0 - x * x)
    first = 2.0 / (np.pi * a) + 0.5 * log
    quantile: Floats = np.sqrt(2.0) * np.sign(x) * np.sqrt(np.sqrt(first * first - log / a) - first)
    return quantile


def _poisson(u: Floats, mean: Floats) -> NDArray[np.int64]:
    """Return Poisson numbers by inversion of uniforms."""
    term = np.exp(-mean)
    total = term.copy()
    count = np.zeros(len(mean), np.int64)
    more = np.flatnonzero(u > total)
    while len(more) and count[more[0]] < _MOST_USES - 1:
        count[more] += 1
        term[more] *= mean[more] / count[more]
        total[more] += term[more]
        more = more[u[more] > total[more]]
    return count
