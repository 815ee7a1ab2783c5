"""Dispatch: the orders of each flexible device in a tick.

Fleets step in rounds: first those that may draw, then those that only produce, then types that
balance sites, generators before batteries. Each round compensates for the actual output of the
rounds before. A device's orders depend on its own site only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gridsim.api import Capability, Floats, Orders
from gridsim.simulation.dispatch.balancing import Outputs, Sharing, balance, balance_apart
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.dispatch.steps import in_steps, up_to_step
from gridsim.simulation.fleets import RunningFleet

Able = tuple[RunningFleet, Capability]
"""A flexible fleet, and its capability in the tick."""


_DRAWS, _PRODUCES, _BACKS, _LAST = range(4)
"""The rounds."""


def no_orders(n: int) -> Orders:
    """Return empty orders for n devices."""
    return Orders(setpoint_kw=np.full(n, np.nan), balance_kw=np.zeros(n))


def orders_for(fleet: RunningFleet, devices: DeviceOrders | None) -> Orders:
    """Return the orders of a fleet's devices from commands alone."""
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
    reported_kw: Floats | None = None,
    outputs_kw: Outputs | None = None,
) -> Iterator[list[tuple[RunningFleet, Orders]]]:
    """Yield the fleets of each round, with their orders.

    `net_kw`, float64[sites], is each site's net consumption. `reported_kw` is the same from
    values rounded as they are reported, by which `SiteOrders.net_kw` is met; None: `net_kw`.
    `outputs_kw` is needed if a device excludes types. The caller must update all in place with the
    output of a round before it requests the next round.
    """
    outputs_kw = outputs_kw or {}
    if devices is not None or sites is not None:
        reported_kw = net_kw if reported_kw is None else reported_kw
        work = _Dispatch(net_kw, reported_kw, able, devices, sites, outputs_kw)
        yield from work.rounds(net_kw, reported_kw)
        return
    for number in (_DRAWS, _PRODUCES):
        yield [(f, no_orders(len(f.device))) for f, a in able if _round(f, a) == number]
    last = [(fleet, ability) for fleet, ability in able if fleet.steps_last]
    groups = [Sharing(f.site, a.min_kw, a.max_kw, f.balances) for f, a in last]
    shares = balance_apart(net_kw, groups, [fleet.excludes for fleet, _ in last], outputs_kw)
    yield [
        (fleet, Orders(np.full(len(share), np.nan), share))
        for (fleet, _), share in zip(last, shares, strict=True)
    ]


class _Dispatch:
    """The dispatch of one tick: first the orders of devices, then those of sites.

    A site's target starts from the output that its devices prefer. If more output is needed, all
    devices increase theirs in proportion to their headroom. If less is needed, first devices that
    balance sites stop and store, then the others draw more, and last the others produce less. A
    target of the net consumption is a promise to draw no more than that. It is met in the reported
    values, in steps of 0.01 kW. If less output is needed for it, only devices that balance sites
    change theirs. Limits are shared in proportion to capability, so that they hold for any output
    in a device's range; a round may exceed its share as far as later rounds can compensate.
    """

    def __init__(
        self,
        net_kw: Floats,
        reported_kw: Floats,
        able: Sequence[Able],
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
        outputs_kw: Outputs,
    ) -> None:
        self._outputs = outputs_kw
        n = self._n = len(net_kw)
        sites = SiteOrders.none(n) if sites is None else sites
        ends = np.cumsum([0, *(len(fleet.device) for fleet, _ in able)]).tolist()
        self._places = [
            (fleet, _round(fleet, ability), slice(start, stop))
            for (fleet, ability), start, stop in zip(able, ends, ends[1:], strict=False)
        ]
        total = ends[-1]
        device, self._site = np.empty(total, np.intp), np.empty(total, np.intp)
        self._keys = np.empty(total, np.uint64)
        self._round = np.empty(total, np.int8)
        low, high, preferred = np.empty(total), np.empty(total), np.empty(total)
        for (fleet, number, rows), (_, ability) in zip(self._places, able, strict=True):
            device[rows], self._site[rows], self._round[rows] = fleet.device, fleet.site, number
            self._keys[rows] = fleet.keys
            low[rows], high[rows] = ability.min_kw, ability.max_kw
            if ability.preferred_kw is None:
                preferred[rows] = 0.0
            else:
                preferred[rows] = ability.preferred_kw
        self._bounded = devices is not None
        self._command = np.full(total, np.nan)
        self._min_kw, self._max_kw = np.full(total, -np.inf), np.full(total, np.inf)
        if devices is not None:
            self._command = devices.setpoint_kw[device]
            self._min_kw, self._max_kw = devices.min_kw[device], devices.max_kw[device]
        self._free = np.isnan(self._command)
        self._low, self._high = (
            np.minimum(np.maximum(power, self._min_kw), self._max_kw) for power in (low, high)
        )
        self._own = np.clip(np.where(self._free, preferred, self._command), self._low, self._high)
        self._highest, self._lowest = net_kw + sites.export_kw, net_kw - sites.import_kw
        self._limited = bool(np.isfinite((self._highest, self._lowest)).any())
        self._by_net = np.isnan(sites.output_kw) & ~np.isnan(sites.net_kw)
        target = np.where(self._by_net, reported_kw - sites.net_kw, sites.output_kw)
        self._target = np.minimum(np.maximum(target, self._lowest), self._highest)
        self._targeted = ~np.isnan(target)
        self._setpoint = self._command
        if self._targeted.any():
            self._setpoint = np.where(self._free, self._shared(), self._command)

    def rounds(
        self, net_kw: Floats, reported_kw: Floats
    ) -> Iterator[list[tuple[RunningFleet, Orders]]]:
        """Yield the fleets of each round, with their orders; see `dispatch`."""
        begin_kw = net_kw.copy()
        begin = np.where(self._by_net, reported_kw, net_kw)
        for number in (_DRAWS, _PRODUCES):
            self._share_limits(number, begin_kw - net_kw)
            yield [
                (fleet, self._orders(rows, self._setpoint[rows], np.zeros(len(fleet.device))))
                for fleet, own, rows in self._places
                if own == number
            ]
        self._share_limits(_BACKS, begin_kw - net_kw)
        given = begin - np.where(self._by_net, reported_kw, net_kw)
        left = np.where(self._targeted, self._target - given, net_kw)
        shares = self._balanced(left, _BACKS, targeted_only=False)
        yield [self._late(place, shares) for place in self._places if place[1] == _BACKS]
        self._share_limits(_LAST, begin_kw - net_kw)
        given = begin - np.where(self._by_net, reported_kw, net_kw)
        needed = np.where(self._targeted, self._target - given, 0.0)
        targeted = self._balanced(needed, _LAST, targeted_only=True)
        shares = np.where(self._targeted[self._site], targeted, shares)
        yield [self._late(place, shares) for place in self._places if place[1] == _LAST]

    def _balanced(self, left_kw: Floats, since: int, *, targeted_only: bool) -> Floats:
        """Split each site's remainder over the rounds from `since` on: float64[devices].

        `targeted_only`: split it only over the devices of sites that have a target.
        """
        commanded = np.where(self._free | (self._round < since), 0.0, self._own)
        places = [(fleet, rows) for fleet, number, rows in self._places if number >= since]
        groups = []
        for fleet, rows in places:
            takes = self._targeted[fleet.site]
            takes = self._free[rows] & (takes if targeted_only else takes | fleet.balances)
            groups.append(Sharing(fleet.site, self._low[rows], self._high[rows], takes))
        result = np.zeros(len(self._site))
        takes = np.zeros(len(self._site), np.bool_)
        left_kw = left_kw - self._per_site(commanded)
        shares = balance(left_kw, groups)
        if self._outputs and not targeted_only:
            apart = self._balanced_apart(left_kw, commanded, places, groups)
            shares = [
                np.where(self._targeted[own.site], share, alone)
                for own, share, alone in zip(groups, shares, apart, strict=True)
            ]
        for (_, rows), share, group in zip(places, shares, groups, strict=True):
            result[rows], takes[rows] = share, group.takes
        which = np.flatnonzero(takes & self._by_net[self._site])
        if len(which):
            result[which] = in_steps(
                result[which],
                self._site[which],
                self._keys[which],
                self._low[which],
                self._high[which],
                self._n,
            )
        return result

    def _balanced_apart(
        self,
        left_kw: Floats,
        commanded: Floats,
        places: Sequence[tuple[RunningFleet, slice]],
        groups: Sequence[Sharing],
    ) -> list[Floats]:
        """Return the shares where devices exclude types; a target of a site excludes none."""
        outputs = {name: output.copy() for name, output in self._outputs.items()}
        for fleet, rows in places:
            if fleet.name in outputs:
                outputs[fleet.name] += np.bincount(fleet.site, commanded[rows], self._n)
        return balance_apart(left_kw, groups, [fleet.excludes for fleet, _ in places], outputs)

    def _late(
        self, place: tuple[RunningFleet, int, slice], shares: Floats
    ) -> tuple[RunningFleet, Orders]:
        """Return the orders of a fleet that steps last; they are setpoints where a site has a
        target.
        """
        fleet, _, rows = place
        share = np.minimum(np.maximum(shares[rows], self._min_kw[rows]), self._max_kw[rows])
        targeted = self._free[rows] & self._targeted[fleet.site]
        setpoint = np.where(targeted, share, self._command[rows])
        return fleet, self._orders(rows, setpoint, np.where(targeted, 0.0, share))

    def _orders(self, rows: slice, setpoint: Floats, share: Floats) -> Orders:
        if not (self._bounded or self._limited):
            return Orders(setpoint, share)
        return Orders(setpoint, share, self._min_kw[rows], self._max_kw[rows])

    def _shared(self) -> Floats:
        """Return the sites' targets as setpoints: float64[devices], NaN for unchanged devices."""
        own, free = self._own, self._free
        by_net = self._by_net[self._site]
        own = np.where(by_net, np.clip(np.rint(own * 100.0) / 100.0, self._low, self._high), own)
        missing = np.where(self._targeted, self._target - self._per_site(own), 0.0)
        result = own + self._part_of(missing, np.where(free, self._high - own, 0.0))
        last = free & (self._round >= _BACKS)
        stores = np.where(last, own - self._low, 0.0)
        draws = np.minimum(own, 0.0) - np.minimum(self._low, 0.0)
        produces = np.maximum(own, 0.0) - np.maximum(self._low, 0.0)
        surplus = -missing
        first = free & ~last
        first &= ~by_net
        for room in (stores, np.where(first, draws, 0.0), np.where(first, produces, 0.0)):
            result -= self._part_of(surplus, room)
            surplus = surplus - self._per_site(room)
        same = result == own
        result = np.where(by_net, np.minimum(up_to_step(result), self._high), result)
        return np.where(same, np.nan, result)

    def _part_of(self, need: Floats, room: Floats) -> Floats:
        """Split each site's need over its devices in proportion to `room`: float64[devices]."""
        total = self._per_site(room)
        taken = np.minimum(np.maximum(need, 0.0), total)
        used = np.divide(taken, total, out=np.zeros(self._n), where=total > 0.0)
        part: Floats = room * used[self._site]
        return part

    def _share_limits(self, number: int, given_kw: Floats) -> None:
        """Apply the sites' limits to the limits of the devices of a round.

        `given_kw`, float64[sites], is the output of the flexible devices that have stepped.
        """
        if not self._limited:
            return
        own, later = self._round == number, self._round > number
        highest = self._highest - given_kw - self._per_site(np.where(later, self._low, 0.0))
        lowest = self._lowest - given_kw - self._per_site(np.where(later, self._high, 0.0))
        low, high = np.where(own, self._low, 0.0), np.where(own, self._high, 0.0)
        max_kw, min_kw = self._at_most(highest, low, high), -self._at_most(-lowest, -high, -low)
        self._max_kw = np.where(own, np.minimum(self._max_kw, max_kw), self._max_kw)
        self._min_kw = np.where(own, np.maximum(self._min_kw, min_kw), self._min_kw)

    def _at_most(self, total_kw: Floats, low: Floats, high: Floats) -> Floats:
        """Return each device's largest output so that a site's total is at most `total_kw`.

        The total is shared in proportion to the devices' largest output or, if they all have to
        draw, to their largest draw.
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
