"""The sharing of a site's target over its flexible devices, with fleets that follow orders."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Capability, Floats, Orders
from gridsim.simulation.dispatch.dispatch import dispatch
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.fleets import RunningFleet

Able = tuple[RunningFleet, Capability]


class Devices:
    """Fleets of a few devices at the sites `at`."""

    def __init__(self) -> None:
        self.able: list[Able] = []
        self.count = 0

    def add(
        self,
        least: Sequence[float],
        most: Sequence[float],
        *,
        wish: Sequence[float] | None = None,
        at: Sequence[int] | None = None,
        balances: bool | None = None,
        stores: bool = True,
    ) -> Devices:
        """A fleet; `balances` None is a type that never does."""
        n = len(least)
        fleet = SimpleNamespace(
            device=np.arange(self.count, self.count + n),
            site=np.zeros(n, np.intp) if at is None else np.array(at),
            keys=np.arange(self.count, self.count + n, dtype=np.uint64),
            balances=np.full(n, bool(balances)),
            excludes={frozenset(): np.full(n, True)},
            steps_last=balances is not None,
            stores=stores,
        )
        self.count += n
        ability = Capability(
            np.array(least, float),
            np.array(most, float),
            None if wish is None else np.array(wish, float),
        )
        self.able.append((cast(RunningFleet, fleet), ability))
        return self


def obedient(orders: Orders, own: Capability) -> Floats:
    """Setpoint, else share, else wish; within limits and capability."""
    wish = np.zeros_like(own.min_kw) if own.preferred_kw is None else own.preferred_kw
    power = np.where(np.isnan(orders.setpoint_kw), wish + orders.balance_kw, orders.setpoint_kw)
    return np.clip(orders.within(power), own.min_kw, own.max_kw)


def run(
    devices: Devices,
    net: Sequence[float],
    sites: SiteOrders | None,
    commands: DeviceOrders | None = None,
    does: Any = obedient,
) -> tuple[list[float], Floats]:
    """Return the output of each device, and the resulting draw of each site."""
    net_kw = np.array(net, float)
    ability = {id(fleet): own for fleet, own in devices.able}
    power = np.full(devices.count, np.nan)
    for asked in dispatch(net_kw, devices.able, commands, sites):
        for fleet, orders in asked:
            done = does(orders, ability[id(fleet)])
            power[fleet.device] = done
            np.subtract(net_kw, np.bincount(fleet.site, done, len(net_kw)), out=net_kw)
    return [round(value, 6) + 0.0 for value in power.tolist()], net_kw


def asks(
    n: int = 1,
    *,
    output: float = np.nan,
    net: float = np.nan,
    exported: float = np.inf,
    imported: float = np.inf,
) -> SiteOrders:
    """Something of the first of n sites, nothing of the others."""
    orders = SiteOrders.none(n)
    orders.output_kw[0], orders.net_kw[0] = output, net
    orders.export_kw[0], orders.import_kw[0] = exported, imported
    return orders


def test_more_output_comes_from_all_in_proportion_to_their_room() -> None:
    """A car that charges can give as much as it draws."""
    devices = Devices().add([-6.0], [0.0], wish=[-6.0]).add([-6.0], [6.0], balances=True)
    # The load draws 3 and the car 6; the site may draw 5.
    power, net = run(devices, [3.0], asks(net=5.0))
    assert power == [-4.0, 2.0]
    assert net[0] == 5.0


def test_those_that_step_last_make_up_for_what_others_really_did() -> None:
    devices = Devices().add([-6.0], [0.0], wish=[-6.0]).add([-6.0], [6.0], balances=True)

    def pauses(orders: Orders, own: Capability) -> Floats:
        power = obedient(orders, own)
        return np.where(own.max_kw == 0.0, 0.0, power)  # below its least current

    power, net = run(devices, [3.0], asks(net=5.0), does=pauses)
    assert power == [0.0, -2.0]
    assert net[0] == 5.0


def test_a_battery_makes_up_for_a_generator_that_cannot_run_so_low() -> None:
    devices = (
        Devices()
        .add([-5.0], [5.0], balances=True)
        .add([0.0], [5.0], balances=False, stores=False)
        .add([0.0], [5.0], balances=True, stores=False)
    )

    def runs_high(orders: Orders, own: Capability) -> Floats:
        power = obedient(orders, own)
        return np.where((own.min_kw == 0.0) & (power > 0.0), np.maximum(power, 1.5), power)

    power, net = run(devices, [4.0], asks(net=1.0), does=runs_high)
    assert power == [0.0, 1.5, 1.5]
    assert net[0] == 1.0
    # By themselves all that balance share as one.
    power, _ = run(devices, [2.0], None, does=runs_high)
    assert power == [1.0, 0.0, 1.5]
    assert run(devices, [2.0], asks(), does=runs_high)[0] == power


def test_less_output_first_charges_then_draws_and_curtails_last() -> None:
    devices = (
        Devices()
        .add([0.0], [5.0], wish=[5.0])  # a roof
        .add([-3.0], [0.0], wish=[-1.0])  # a tank
        .add([-2.0], [2.0], balances=True)
    )
    for target, expected in [
        (3.0, [5.0, -1.0, -1.0]),
        (1.0, [5.0, -2.0, -2.0]),
        (-2.0, [3.0, -3.0, -2.0]),
    ]:
        power, _ = run(devices, [0.0], asks(output=target))
        assert power == expected
        assert sum(power) == target


def test_what_cannot_be_given_stays_missing() -> None:
    devices = Devices().add([-3.0], [0.0], wish=[-1.0]).add([-2.0], [2.0], balances=True)
    power, net = run(devices, [4.0], asks(net=0.0))
    assert power == [0.0, 2.0]
    assert net[0] == 2.0


def test_an_idle_battery_takes_part_though_it_never_balances() -> None:
    devices = Devices().add([-5.0], [5.0], balances=False)
    assert run(devices, [2.0], None)[0] == [0.0]
    assert run(devices, [2.0], asks(net=0.5))[0] == [1.5]


def test_a_project_command_comes_before_an_event() -> None:
    command, event = asks(output=1.0, exported=3.0), asks(net=0.0, exported=2.0, imported=4.0)
    both = command.above(event)
    assert (both.output_kw[0], both.export_kw[0], both.import_kw[0]) == (1.0, 2.0, 4.0)
    devices = Devices().add([-5.0], [5.0], balances=True)
    assert run(devices, [4.0], both)[0] == [1.0]


def test_what_a_device_is_commanded_counts_as_given() -> None:
    devices = Devices().add([-5.0, -5.0], [5.0, 5.0], balances=True)
    commands = DeviceOrders.none(2)
    commands.setpoint_kw[0] = -3.0
    assert run(devices, [2.0], asks(net=0.0), commands)[0] == [-3.0, 5.0]
    assert run(devices, [1.0], None, commands)[0] == [-3.0, 4.0]
    commands.max_kw[1] = 0.5
    assert run(devices, [1.0], None, commands)[0] == [-3.0, 0.5]


def test_nothing_asked_makes_no_limits() -> None:
    devices = Devices().add([-5.0], [5.0], balances=True).add([-1.0], [0.0])
    for asked in dispatch(np.array([1.0]), devices.able, None, None):
        assert all(orders.min_kw is None and orders.max_kw is None for _, orders in asked)


def test_other_sites_balance_to_the_last_bit_as_if_nothing_were_asked() -> None:
    rng = np.random.default_rng(1)
    at = [0, 1, 1, 2, 2, 2]
    devices = (
        Devices()
        .add([-3.0] * 6, [0.0] * 6, wish=(-3.0 * rng.random(6)).tolist(), at=at)
        .add((-rng.random(6)).tolist(), rng.random(6).tolist(), at=at, balances=True)
    )
    net = [0.3, 0.7, -0.9]
    orders = asks(3, net=-1.0, exported=0.2)
    plain, asked = run(devices, net, None), run(devices, net, orders)
    assert plain[0][1:6] + plain[0][7:] == asked[0][1:6] + asked[0][7:]
    np.testing.assert_array_equal(plain[1][1:], asked[1][1:])
    assert asked[1][0] != plain[1][0]


powers = st.floats(0.0, 10.0).map(lambda kw: round(kw, 2))


@st.composite
def some_devices(draw: st.DrawFn) -> Devices:
    """Any mixture of what can draw, produce and store at one site."""
    devices = Devices()
    for balances, stores in (
        (None, True),
        (None, True),
        (True, True),
        (False, True),
        (True, False),
    ):
        n = draw(st.integers(0, 3))
        least = [-draw(powers) for _ in range(n)]
        most = [draw(powers) for _ in range(n)]
        if balances is None and draw(st.booleans()):
            least = [0.0] * n
        wish = [draw(st.floats(low, high)) for low, high in zip(least, most, strict=True)]
        devices.add(least, most, wish=wish, balances=balances, stores=stores)
    return devices


@pytest.mark.parametrize("limit", ["export", "import"])
@given(
    devices=some_devices(),
    net=st.floats(-20.0, 20.0),
    kw=powers,
    whim=st.integers(0, 2**32),
    target=st.none() | st.floats(-10.0, 10.0),
)
def test_a_limit_holds_whatever_the_devices_do(
    limit: str, devices: Devices, net: float, kw: float, whim: int, target: float | None
) -> None:
    """As far as they can hold it at all: each may do anything within capability and limits."""
    rng = np.random.default_rng(whim)

    def anything(orders: Orders, own: Capability) -> Floats:
        power = own.min_kw + rng.random(len(own.min_kw)) * (own.max_kw - own.min_kw)
        return np.clip(orders.within(power), own.min_kw, own.max_kw)

    wanted = np.nan if target is None else target
    orders = asks(net=wanted, exported=kw) if limit == "export" else asks(net=wanted, imported=kw)
    _, drawn = run(devices, [net], orders, does=anything)
    if limit == "export":
        possible = net - sum(own.min_kw.sum() for _, own in devices.able)
        assert drawn[0] >= min(-kw, possible) - 1e-9
    else:
        possible = net - sum(own.max_kw.sum() for _, own in devices.able)
        assert drawn[0] <= max(kw, possible) + 1e-9
