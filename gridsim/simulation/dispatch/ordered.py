"""The dispatch of a tick with orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Orders
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.dispatch.rounds import BACKS, DRAWS, LAST, PRODUCES, Able, round_of
from gridsim.simulation.dispatch.sharing import Sharing, balance
from gridsim.simulation.dispatch.steps import in_steps, up_to_step
from gridsim.simulation.fleets import RunningFleet

# A difference that is due to the rounding of sums, kW.
_SLACK = 1e-6


class OrderedDispatch:
    """The dispatch of one tick: first the orders of devices, then those of sites.

    A target of a site's output is met exactly. It starts from the output that the devices
    prefer. If more output is needed, all devices increase theirs in proportion to their headroom.
    If less is needed, first devices that balance sites stop and store, then the others draw more,
    and last the others produce less.

    A target of the net consumption is a promise to draw no more than that, in the values that are
    reported, in steps of 0.01 kW. It starts from the output that the devices would have without
    it. Where that is enough, they follow their own strategies; otherwise all devices increase
    their output in proportion to their headroom. No device has to produce less or draw more,
    except that devices that balance a site stop and store where the site `holds` its target.

    Limits are shared in proportion to capability, so that they hold for any output in a device's
    range; a round may exceed its share as far as later rounds can compensate.
    """

    def __init__(
        self,
        net_kw: Floats,
        reported_kw: Floats,
        able: Sequence[Able],
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
    ) -> None:
        n = self._n = len(net_kw)
        sites = SiteOrders.none(n) if sites is None else sites
        ends = np.cumsum([0, *(len(fleet.device) for fleet, _ in able)]).tolist()
        self._places = [
            (fleet, round_of(fleet, ability), slice(start, stop))
            for (fleet, ability), start, stop in zip(able, ends, ends[1:], strict=False)
        ]
        total = ends[-1]
        device, self._site = np.empty(total, np.intp), np.empty(total, np.intp)
        self._keys = np.empty(total, np.uint64)
        self._round = np.empty(total, np.int8)
        low, high, preferred = np.empty(total), np.empty(total), np.empty(total)
        self._balances = np.zeros(total, np.bool_)
        self._least, self._most = np.full(total, -np.inf), np.full(total, np.inf)
        for (fleet, number, rows), (_, ability) in zip(self._places, able, strict=True):
            device[rows], self._site[rows], self._round[rows] = fleet.device, fleet.site, number
            self._keys[rows] = fleet.keys
            low[rows], high[rows] = ability.min_kw, ability.max_kw
            preferred[rows] = 0.0 if ability.preferred_kw is None else ability.preferred_kw
            self._balances[rows] = fleet.balances
            if ability.balance_min_kw is not None:
                self._least[rows] = ability.balance_min_kw
            if ability.balance_max_kw is not None:
                self._most[rows] = ability.balance_max_kw
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
        held = self._by_net & sites.holds
        self._exact = ~np.isnan(sites.output_kw) | held
        """The sites whose target is met exactly."""
        self._promises = self._by_net & ~held
        """The sites that may draw less than their target."""
        self._setpoint = self._command
        if self._promises.any():
            early = self._per_site(np.where(self._round < BACKS, self._own, 0.0))
            shares = self._balanced(net_kw - early, BACKS)
            late = self._free & (self._round >= BACKS) & self._promises[self._site]
            self._own = np.where(late, self._unforced(shares), self._own)
        if self._exact.any() or self._promises.any():
            self._setpoint = np.where(self._free, self._shared(), self._command)

    def rounds(
        self, net_kw: Floats, reported_kw: Floats
    ) -> Iterator[list[tuple[RunningFleet, Orders]]]:
        """Yield the fleets of each round, with their orders; see `dispatch`."""
        begin_kw = net_kw.copy()
        begin = np.where(self._by_net, reported_kw, net_kw)
        for number in (DRAWS, PRODUCES):
            self._share_limits(number, begin_kw - net_kw)
            yield [
                (fleet, self._orders(rows, self._setpoint[rows], np.zeros(len(fleet.device))))
                for fleet, own, rows in self._places
                if own == number
            ]
        self._share_limits(BACKS, begin_kw - net_kw)
        given = begin - np.where(self._by_net, reported_kw, net_kw)
        shares = self._balanced(np.where(self._exact, self._target - given, net_kw), BACKS)
        yield self._late(BACKS, shares, given)
        self._share_limits(LAST, begin_kw - net_kw)
        given = begin - np.where(self._by_net, reported_kw, net_kw)
        if self._exact.any():
            exact = self._balanced(np.where(self._exact, self._target - given, 0.0), LAST)
            shares = np.where(self._exact[self._site], exact, shares)
        yield self._late(LAST, shares, given)

    def _balanced(self, left_kw: Floats, since: int) -> Floats:
        """Split each site's remainder over the rounds from `since` on: float64[devices].

        At sites with an exact target all devices take a share, at others those that balance.
        """
        commanded = np.where(self._free | (self._round < since), 0.0, self._own)
        places = [(fleet, rows) for fleet, number, rows in self._places if number >= since]
        groups = []
        for fleet, rows in places:
            takes = self._free[rows] & (self._exact[fleet.site] | fleet.balances)
            groups.append(Sharing(fleet.site, self._low[rows], self._high[rows], takes))
        result = np.zeros(len(self._site))
        takes = np.zeros(len(self._site), np.bool_)
        shares = balance(left_kw - self._per_site(commanded), groups)
        for (_, rows), share, group in zip(places, shares, groups, strict=True):
            result[rows], takes[rows] = share, group.takes
        which = np.flatnonzero(takes & (self._exact & self._by_net)[self._site])
        result[which] = self._in_steps(result, which)
        return result

    def _in_steps(self, kw: Floats, which: NDArray[np.intp]) -> Floats:
        """Return the power of the devices `which`, in steps of 0.01 kW."""
        site, low, high = self._site[which], self._low[which], self._high[which]
        return in_steps(kw[which], site, self._keys[which], low, high, self._n)

    def _unforced(self, shares: Floats) -> Floats:
        """Return the output of the devices that step last, with these shares and no setpoint."""
        own = np.where(self._balances, np.clip(shares, self._least, self._most), self._own)
        low = np.maximum(self._low, self._min_kw)
        return np.clip(own, low, np.maximum(np.minimum(self._high, self._max_kw), low))

    def _raised(self, since: int, shares: Floats, given_kw: Floats) -> Floats:
        """Return setpoints by which the rounds from `since` on keep the promises of sites.

        `given_kw`, float64[sites], is the output of the rounds before, as it is reported. NaN for
        devices that keep to their strategy.
        """
        late = self._round >= since
        own = np.where(self._free, self._unforced(shares), self._own)
        needed = self._target - given_kw
        shown = self._per_site(np.where(late, np.rint(own * 100.0) / 100.0, 0.0))
        short = self._promises & (shown < needed - _SLACK)
        which = np.flatnonzero(late & self._free & short[self._site])
        raised = np.full(len(own), np.nan)
        if len(which):
            missing = needed - self._per_site(np.where(late, own, 0.0))
            room = np.zeros(len(own))
            room[which] = np.maximum(self._high - own, 0.0)[which]
            raised[which] = self._in_steps(own + self._part_of(missing, room), which)
        return raised

    def _late(
        self, number: int, shares: Floats, given_kw: Floats
    ) -> list[tuple[RunningFleet, Orders]]:
        """Return the orders of the fleets of a late round; where a site needs it, as setpoints."""
        shares = np.minimum(np.maximum(shares, self._min_kw), self._max_kw)
        setpoint = np.where(self._free & self._exact[self._site], shares, self._command)
        if self._promises.any():
            raised = self._raised(number, shares, given_kw)
            raised = np.minimum(np.maximum(raised, self._min_kw), self._max_kw)
            setpoint = np.where(np.isnan(raised), setpoint, raised)
        forced = self._free & ~np.isnan(setpoint)
        shares = np.where(forced, 0.0, shares)
        return [
            (fleet, self._orders(rows, setpoint[rows], shares[rows]))
            for fleet, own, rows in self._places
            if own == number
        ]

    def _orders(self, rows: slice, setpoint: Floats, share: Floats) -> Orders:
        if not (self._bounded or self._limited):
            return Orders(setpoint, share)
        return Orders(setpoint, share, self._min_kw[rows], self._max_kw[rows])

    def _shared(self) -> Floats:
        """Return the sites' targets as setpoints: float64[devices], NaN for unchanged devices."""
        own, free = self._own, self._free
        by_net = self._by_net[self._site]
        own = np.where(by_net, np.clip(np.rint(own * 100.0) / 100.0, self._low, self._high), own)
        has_target = self._exact | self._promises
        missing = np.where(has_target, self._target - self._per_site(own), 0.0)
        result = own + self._part_of(missing, np.where(free, self._high - own, 0.0))
        late = self._round >= BACKS
        stores = np.where(late & free, own - self._low, 0.0)
        fixed = late | ~free | by_net
        draws = np.where(fixed, 0.0, np.minimum(own, 0.0) - np.minimum(self._low, 0.0))
        produces = np.where(fixed, 0.0, np.maximum(own, 0.0) - np.maximum(self._low, 0.0))
        surplus = np.where(self._exact, -missing, 0.0)
        for room in (stores, draws, produces):
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
