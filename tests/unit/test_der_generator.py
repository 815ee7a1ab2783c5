"""Generating sets: they start late, ramp, keep to their minimum load, and burn what they burn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import Floats, Orders
from gridsim.testing import FleetContract, make_members, make_tick
from gridsim_plugins.ders.generator import Generator
from gridsim_plugins.ders.generator.settings import GeneratorSettings

NAN = float("nan")
BASE = {"nameplate_capacity": 100.0}
FOLLOWS: dict[str, Any] = {
    **BASE,
    "strategy": "follow_load",
    "start_delay_s": 0.0,
    "ramp_rate": 100.0,
}


class TestGeneratorContract(FleetContract):
    fleet = Generator
    settings = (
        BASE,
        {"nameplate_capacity": 50.0, "strategy": "follow_load"},
        {"nameplate_capacity": 8.0, "start_delay_s": 700.0, "ramp_rate": 0.1, "min_load": 0.0},
    )
    obeys_within_s = 1000.0


class TestGeneratorContractAtOneSecond(FleetContract):
    fleet = Generator
    settings = ({**BASE, "strategy": "follow_load", "start_above": 60.0},)
    tick_s = 1.0
    ticks = 240


def generator(tick_s: float = 1.0, **settings: Any) -> Generator:
    return Generator(make_members(GeneratorSettings, [{**BASE, **settings}], tick_s=tick_s))


def run(
    fleet: Generator, setpoints: list[float], shares: list[float] | None = None
) -> tuple[Floats, Floats]:
    """(output, fuel), one each per tick."""
    tick_s = fleet.members.tick_ms / 1000
    told = [
        fleet.step(make_tick(index, tick_s=tick_s), Orders(np.array([setpoint]), np.array([share])))
        for index, (setpoint, share) in enumerate(
            zip(setpoints, shares or [0.0] * len(setpoints), strict=True)
        )
    ]
    output = np.array([float(one.current_output[0]) for one in told])
    return output, np.array([float(one.extra["fuel_l"][0]) for one in told])


def test_it_starts_late_ramps_up_and_unloads_before_it_stops() -> None:
    fleet = generator(start_delay_s=3.0, ramp_rate=20.0)
    output, fuel = run(fleet, [60.0] * 8 + [0.0] * 5)
    assert output == pytest.approx([0, 0, 0, 10, 30, 50, 60, 60, 50, 30, 10, 0, 0])
    assert fuel[2] == 0.0
    assert (np.diff(fuel)[2:10] > 0.0).all()
    assert fuel[-1] == fuel[10]


def test_a_setpoint_below_the_minimum_load_is_raised_to_it_and_none_stops_it() -> None:
    fleet = generator(start_delay_s=0.0, ramp_rate=100.0)
    output, _ = run(fleet, [5.0, 5.0, 120.0, 120.0, NAN, NAN, -20.0, -20.0])
    assert output == pytest.approx([25.5, 30, 75.5, 100, 50, 0, 0, 0], abs=1e-9)


@settings(max_examples=25)
@given(
    # A start and a ramp from end to end are over within 24 seconds.
    calls=st.lists(st.tuples(st.integers(1, 12), st.floats(-20.0, 130.0)), max_size=5),
    per_tick=st.sampled_from([2, 5, 7, 30]),
)
def test_energy_and_fuel_do_not_depend_on_the_tick(
    calls: list[tuple[int, float]], per_tick: int
) -> None:
    """The same orders in ticks of one second and in longer ones."""
    settings = {"start_delay_s": 4.0, "ramp_rate": 9.0}
    orders = [setpoint for count, setpoint in calls for _ in range(count)] + [0.0]
    fine, coarse = generator(**settings), generator(per_tick * 1.0, **settings)
    output, fuel = run(fine, [one for one in orders for _ in range(per_tick)])
    longer, burnt = run(coarse, orders)
    each = output.reshape(-1, per_tick).mean(axis=1)
    assert longer == pytest.approx(each, abs=1e-6)
    assert burnt == pytest.approx(fuel[per_tick - 1 :: per_tick], abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(-150.0, 150.0), st.floats(-150.0, 150.0)), max_size=60),
    st.sampled_from([0.1, 1.0, 60.0, 3600.0]),
    st.sampled_from(["idle", "follow_load"]),
)
def test_limits_hold_and_fuel_is_that_of_the_curve(
    asked: list[tuple[float, float]], tick_s: float, strategy: str
) -> None:
    """Between the fuel of the energy alone and that of running at no load all the time."""
    fleet = generator(tick_s, strategy=strategy)
    setpoints = [NAN if one > 100.0 else one for one, _ in asked]
    output, fuel = run(fleet, setpoints, [share for _, share in asked])
    assert (output >= 0.0).all()
    assert (output <= 100.0).all()
    most_change = 5.0 * tick_s
    assert (np.abs(np.diff(output)) <= most_change + 1e-9).all()
    energy = output * tick_s / 3600.0
    burnt = np.diff(fuel, prepend=0.0)
    assert (burnt >= 0.25 * energy - 1e-9).all()
    running = (output > 0.0) * tick_s / 3600.0
    assert (burnt <= 0.25 * energy + 8.0 * running + 1e-9).all()


@pytest.mark.parametrize(("load", "efficiency"), [(100.0, 0.308), (50.0, 0.248), (30.0, 0.197)])
def test_efficiency_is_that_of_small_diesels(load: float, efficiency: float) -> None:
    """By HOMER's curve and diesel: 43.2 MJ/kg, 820 g/l."""
    _, fuel = run(generator(tick_s=60.0), [load] * 120)
    litres = fuel[-1] - fuel[59]
    kwh_per_litre = 43.2 * 0.82 / 3.6
    assert load / (litres * kwh_per_litre) == pytest.approx(efficiency, abs=0.001)


def test_it_follows_the_load_above_its_threshold_and_never_below_the_minimum() -> None:
    fleet = generator(**{**FOLLOWS, "start_above": 50.0, "min_run_s": 0.0})
    shares = [40.0, 49.0, 60.0, 60.0, 45.0, 45.0, 29.0, 29.0, 45.0]
    output, _ = run(fleet, [NAN] * len(shares), shares)
    assert output == pytest.approx([0, 0, 42, 60, 46.125, 45, 10.125, 0, 0])


def test_once_started_it_runs_for_a_while_unless_ordered_to_stop() -> None:
    shares = [60.0, 60.0] + [0.0] * 8
    output, _ = run(generator(**FOLLOWS, min_run_s=6.0), [NAN] * 10, shares)
    assert output[3:6] == pytest.approx([30, 30, 30])
    assert output[-1] == 0.0
    ordered, _ = run(generator(**FOLLOWS, min_run_s=6.0), [NAN] * 3 + [0.0] * 7, shares)
    assert ordered[4] == 0.0


def test_a_call_taken_back_before_the_start_burns_nothing() -> None:
    output, fuel = run(generator(start_delay_s=5.0), [50.0] * 4 + [0.0] * 3 + [50.0] * 5)
    assert not output.any()
    assert not fuel.any()


def test_only_those_that_follow_take_a_share() -> None:
    members = make_members(GeneratorSettings, [BASE, FOLLOWS])
    assert Generator(members).balances().tolist() == [False, True]
