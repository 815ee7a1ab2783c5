"""Dispatch: what each flexible device is asked to do in a tick.

Fleets step in rounds: those that may draw, those that only produce, and last those of types
that balance sites, generators before batteries, so that each round makes up for what the others
really did. A device's orders depend on its own site only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Floats, Orders
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.fleets import RunningFleet

Able = tuple[RunningFleet, Capability]
"""A flexible fleet, and what it can do in the tick."""


_DRAWS, _PRODUCES, _BACKS, _LAST = range(4)
"""The rounds."""


def no_orders(n: int) -> Orders:
    """Nothing asked of any of n devices."""
    return Orders(setpoint_kw=np.full(n, np.nan), balance_kw=np.zeros(n))


def orders_for(fleet: RunningFleet, devices: DeviceOrders | None) -> Orders:
    """What commands alone ask of a fleet's devices."""
    if devices is None:
        return no_orders(len(fleet.device))
    own = fleet.device
    return Orders(
        devices.setpoint_kw[own], np.zeros(len(own)), devices.min_kw[own], devices.max_kw[own]
    )


def dispatch(
    net_kw: Floats,
    able: Sequence[Able],
    devices: DeviceOrders | None,
    sites: SiteOrders | None,
) -> Iterator[list[tuple[RunningFleet, Orders]]]:
    """The fleets of one round after the other, with their orders.

    `net_kw`, float64[sites], is what each site draws; it must be brought up to date, in place,
    with what a round did before the next is asked for.
    """
    if devices is not None or sites is not None:
        yield from _Dispatch(net_kw, able, devices, sites).rounds(net_kw)
        return
    for number in (_DRAWS, _PRODUCES):
        yield [(f, no_orders(len(f.device))) for f, a in able if _round(f, a) == number]
    last = [(fleet, ability) for fleet, ability in able if fleet.steps_last]
    shares = balance(net_kw, [Sharing(f.site, a.min_kw, a.max_kw, f.balances) for f, a in last])
    yield [
        (fleet, Orders(np.full(len(share), np.nan), share))
        for (fleet, _), share in zip(last, shares, strict=True)
    ]


class Sharing(NamedTuple):
    """The devices of a fleet among which something is shared: columns of its length."""

    site: NDArray[np.intp]
    min_kw: Floats
    max_kw: Floats
    takes: NDArray[np.bool_]
    """Which of them take a share."""


def balance(net_kw: Floats, groups: Sequence[Sharing]) -> list[Floats]:
    """Shares the balancing of each site over its devices, in proportion to what they can do.

    `net_kw` is float64[sites], positive where the site draws: it is met by discharging, a
    surplus by charging. Returns float64[devices] for each group; a share never exceeds the
    device's capability, and is zero for devices that take none.
    """
    able = [
        np.where(own.takes, np.where(net_kw[own.site] > 0.0, own.max_kw, own.min_kw), 0.0)
        for own in groups
    ]
    total = np.zeros_like(net_kw)
    for own, can in zip(groups, able, strict=True):
        total += np.bincount(own.site, can, len(net_kw))
    # net and total have the same sign; the quotient is the used part of the capability.
    used = (total != 0.0).astype(np.float64)
    np.divide(net_kw, total, out=used, where=np.abs(net_kw) < np.abs(total))
    np.maximum(used, 0.0, out=used)
    return [can * used[own.site] for own, can in zip(groups, able, strict=True)]


class _Dispatch:
    """Shares what is asked in one tick: what commands ask of devices, then what is asked of sites.

    A target starts from what the devices would do by themselves. If more output is needed,
    every device gives in proportion to the room that it has. If less is needed, first those
    that balance sites stop and store, then others draw more, and last others produce less.
    Limits are shared so that they hold even if every device does its worst, in proportion to
    what each can do; a round may go as far as those after it can make up for.
    """

    def __init__(
        self,
        net_kw: Floats,
        able: Sequence[Able],
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
    ) -> None:
        n = self._n = len(net_kw)
        sites = SiteOrders.none(n) if sites is None else sites
        ends = np.cumsum([0, *(len(fleet.device) for fleet, _ in able)]).tolist()
        self._places = [
            (fleet, _round(fleet, ability), slice(start, stop))
            for (fleet, ability), start, stop in zip(able, ends, ends[1:], strict=False)
        ]
        total = ends[-1]
        device, self._site = np.empty(total, np.intp), np.empty(total, np.intp)
        self._round = np.empty(total, np.int8)
        low, high, wish = np.empty(total), np.empty(total), np.empty(total)
        for (fleet, number, rows), (_, ability) in zip(self._places, able, strict=True):
            device[rows], self._site[rows], self._round[rows] = fleet.device, fleet.site, number
            low[rows], high[rows] = ability.min_kw, ability.max_kw
            wish[rows] = 0.0 if ability.preferred_kw is None else ability.preferred_kw
        self._bounded = devices is not None
        self._command = np.full(total, np.nan)
        self._least, self._most = np.full(total, -np.inf), np.full(total, np.inf)
        if devices is not None:
            self._command = devices.setpoint_kw[device]
            self._least, self._most = devices.min_kw[device], devices.max_kw[device]
        self._free = np.isnan(self._command)
        self._low, self._high = (
            np.minimum(np.maximum(power, self._least), self._most) for power in (low, high)
        )
        self._own = np.clip(np.where(self._free, wish, self._command), self._low, self._high)
        self._highest, self._lowest = net_kw + sites.export_kw, net_kw - sites.import_kw
        self._limited = bool(np.isfinite((self._highest, self._lowest)).any())
        target = np.where(np.isnan(sites.output_kw), net_kw - sites.net_kw, sites.output_kw)
        self._target = np.minimum(np.maximum(target, self._lowest), self._highest)
        self._targeted = ~np.isnan(target)
        self._setpoint = self._command
        if self._targeted.any():
            self._setpoint = np.where(self._free, self._shared(), self._command)

    def rounds(self, net_kw: Floats) -> Iterator[list[tuple[RunningFleet, Orders]]]:
        """As `dispatch`."""
        begin_kw = net_kw.copy()
        for number in (_DRAWS, _PRODUCES):
            self._share_limits(number, begin_kw - net_kw)
            yield [
                (fleet, self._orders(rows, self._setpoint[rows], np.zeros(len(fleet.device))))
                for fleet, own, rows in self._places
                if own == number
            ]
        self._share_limits(_BACKS, begin_kw - net_kw)
        left = np.where(self._targeted, self._target - (begin_kw - net_kw), net_kw)
        shares = self._balanced(left, _BACKS, asked=False)
        yield [self._late(place, shares) for place in self._places if place[1] == _BACKS]
        self._share_limits(_LAST, begin_kw - net_kw)
        left = self._target - (begin_kw - net_kw)
        asked = self._balanced(np.where(self._targeted, left, 0.0), _LAST, asked=True)
        shares = np.where(self._targeted[self._site], asked, shares)
        yield [self._late(place, shares) for place in self._places if place[1] == _LAST]

    def _balanced(self, left_kw: Floats, since: int, *, asked: bool) -> Floats:
        """What is left of each site, shared over the rounds from `since` on: float64[devices].

        `asked`: only over the devices of sites that have a target.
        """
        commanded = np.where(self._free | (self._round < since), 0.0, self._own)
        places = [(fleet, rows) for fleet, number, rows in self._places if number >= since]
        groups = []
        for fleet, rows in places:
            takes = self._targeted[fleet.site]
            takes = self._free[rows] & (takes if asked else takes | fleet.balances)
            groups.append(Sharing(fleet.site, self._low[rows], self._high[rows], takes))
        result = np.zeros(len(self._site))
        shares = balance(left_kw - self._per_site(commanded), groups)
        for (_, rows), share in zip(places, shares, strict=True):
            result[rows] = share
        return result

    def _late(
        self, place: tuple[RunningFleet, int, slice], shares: Floats
    ) -> tuple[RunningFleet, Orders]:
        """The orders of a fleet that steps last: its shares, as setpoints where a site is asked."""
        fleet, _, rows = place
        share = np.minimum(np.maximum(shares[rows], self._least[rows]), self._most[rows])
        asked = self._free[rows] & self._targeted[fleet.site]
        setpoint = np.where(asked, share, self._command[rows])
        return fleet, self._orders(rows, setpoint, np.where(asked, 0.0, share))

    def _orders(self, rows: slice, setpoint: Floats, share: Floats) -> Orders:
        if not (self._bounded or self._limited):
            return Orders(setpoint, share)
        return Orders(setpoint, share, self._least[rows], self._most[rows])

    def _shared(self) -> Floats:
        """The targets, shared over all: float64[devices], NaN where nothing need change."""
        own, free = self._own, self._free
        missing = np.where(self._targeted, self._target - self._per_site(own), 0.0)
        result = own + self._part_of(missing, np.where(free, self._high - own, 0.0))
        last = free & (self._round >= _BACKS)
        stores = np.where(last, own - self._low, 0.0)
        draws = np.minimum(own, 0.0) - np.minimum(self._low, 0.0)
        produces = np.maximum(own, 0.0) - np.maximum(self._low, 0.0)
        surplus = -missing
        first = free & ~last
        for room in (stores, np.where(first, draws, 0.0), np.where(first, produces, 0.0)):
            result -= self._part_of(surplus, room)
            surplus = surplus - self._per_site(room)
        return np.where(result == own, np.nan, result)

    def _part_of(self, need: Floats, room: Floats) -> Floats:
        """Each device's part of what its site needs, float64[devices]: by the room it has."""
        total = self._per_site(room)
        taken = np.minimum(np.maximum(need, 0.0), total)
        used = np.divide(taken, total, out=np.zeros(self._n), where=total > 0.0)
        part: Floats = room * used[self._site]
        return part

    def _share_limits(self, number: int, given_kw: Floats) -> None:
        """Takes the sites' limits into those of the devices of a round.

        `given_kw`, float64[sites], is what flexible devices give that have stepped.
        """
        if not self._limited:
            return
        own, later = self._round == number, self._round > number
        highest = self._highest - given_kw - self._per_site(np.where(later, self._low, 0.0))
        lowest = self._lowest - given_kw - self._per_site(np.where(later, self._high, 0.0))
        low, high = np.where(own, self._low, 0.0), np.where(own, self._high, 0.0)
        most, least = self._at_most(highest, low, high), -self._at_most(-lowest, -high, -low)
        self._most = np.where(own, np.minimum(self._most, most), self._most)
        self._least = np.where(own, np.maximum(self._least, least), self._least)

    def _at_most(self, total_kw: Floats, low: Floats, high: Floats) -> Floats:
        """What each device may give so that a site's devices together give `total_kw` at most.

        In proportion to what each can give or, where all have to draw, to what it can draw.
        """
        can, must = self._per_site(high), self._per_site(low)
        binds = can > total_kw
        draws = binds & (total_kw < 0.0)
        give = np.divide(total_kw, can, out=np.zeros(self._n), where=binds & ~draws)
        drawn = np.maximum(total_kw, must)
        draw = np.divide(drawn, must, out=np.zeros(self._n), where=draws & (must < 0.0))
        part = high * give[self._site] + low * draw[self._site]
        return np.where(binds[self._site], part, np.inf)

    def _per_site(self, values: Floats) -> Floats:
        sums: Floats = np.bincount(self._site, values, self._n).astype(np.float64, copy=False)
        return sums


def _round(fleet: RunningFleet, able: Capability) -> int:
    if fleet.steps_last:
        return _LAST if fleet.stores else _BACKS
    return _PRODUCES if (able.min_kw >= 0.0).all() else _DRAWS
