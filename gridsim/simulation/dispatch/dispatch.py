"""Dispatch: the orders of each flexible device in a tick.

Fleets step in rounds. A device's orders depend on its own site only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gridsim.api import Floats, Orders
from gridsim.simulation.dispatch.ordered import OrderedDispatch
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.dispatch.rounds import DRAWS, PRODUCES, Able, round_of
from gridsim.simulation.dispatch.sharing import Sharing, balance
from gridsim.simulation.fleets import RunningFleet


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
) -> Iterator[list[tuple[RunningFleet, Orders]]]:
    """Yield the fleets of each round, with their orders.

    `net_kw`, float64[sites], is each site's net consumption. `reported_kw` is the same from
    values rounded as they are reported, by which `SiteOrders.net_kw` is met; None: `net_kw`. The
    caller must update both in place with the output of a round before it requests the next round.
    """
    if devices is not None or sites is not None:
        reported_kw = net_kw if reported_kw is None else reported_kw
        ordered = OrderedDispatch(net_kw, reported_kw, able, devices, sites)
        yield from ordered.rounds(net_kw, reported_kw)
        return
    for number in (DRAWS, PRODUCES):
        yield [(f, no_orders(len(f.device))) for f, a in able if round_of(f, a) == number]
    last = [(fleet, ability) for fleet, ability in able if fleet.steps_last]
    shares = balance(net_kw, [Sharing(f.site, a.min_kw, a.max_kw, f.balances) for f, a in last])
    yield [
        (fleet, Orders(np.full(len(share), np.nan), share))
        for (fleet, _), share in zip(last, shares, strict=True)
    ]
