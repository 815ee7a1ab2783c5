"""The engine against a clock that the test turns: no tick is lost, doubled or skipped."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import (
    Batch,
    Capability,
    Command,
    DerSettings,
    Draws,
    Fleet,
    Load,
    Members,
    Orders,
    Settings,
    Stage,
    Target,
    Telemetry,
    Tick,
    Weather,
    WeatherSample,
)
from gridsim.contracts.results import TickResult
from gridsim.errors import PluginError
from gridsim.running.engine import Engine
from gridsim.simulation.scenario import (
    BaselineSpec,
    FleetSpec,
    LoadSpec,
    OnError,
    Scenario,
    WeatherSpec,
)
from gridsim.simulation.step import Simulation
from gridsim.testing import START_MS, make_members, make_roster, make_sites, make_weather
from gridsim_plugins.baselines.expectation import ExpectedLoad


class Steady(Fleet):
    """Feeds one kilowatt."""

    reported_type = "steady"
    takes_commands = True

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(np.ones(len(self.members)))


class Failing(Steady):
    """Fails at tick 2."""

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        if tick.index == 2:
            raise RuntimeError("out of order")
        return super().step(tick, orders)


class Nan(Steady):
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(np.array([1.0, np.nan])[: len(self.members)])


class Short(Steady):
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(np.ones(1))


class Calm(Weather):
    def at(self, time_ms: int) -> WeatherSample:
        return make_weather(len(self.sites))


class Flat(Load):
    def at(self, tick: Tick) -> Any:
        return np.full(len(self.members), 3.0)

    def expected(self, time_ms: int) -> Any:
        return np.full(len(self.members), 2.5)


class Sink(Steady):
    """A flexible fleet that draws two kilowatts and balances nothing."""

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible"

    def capability(self, tick: Tick) -> Capability:
        n = len(self.members)
        return Capability(np.full(n, -2.0), np.zeros(n))

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(np.full(len(self.members), -2.0))


class Balancer(Sink):
    """Does what balances its site; the second device can do twice as much as the first."""

    def balances(self) -> Any:
        return np.ones(len(self.members), np.bool_)

    def capability(self, tick: Tick) -> Capability:
        return Capability(np.array([-2.5, -5.0]), np.array([2.5, 5.0]))

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(orders.balance_kw)


def simulation(*types: type[Fleet], on_error: OnError = "stop") -> Simulation:
    """One project with two devices of each type."""
    n = 2 * len(types)
    sites = make_sites()
    members: list[Members[Any]] = [
        make_members(
            DerSettings,
            [{"nameplate_capacity": 5.0}] * 2,
            ids=[f"DER_{2 * i}", f"DER_{2 * i + 1}"],
            sites=sites,
        )
        for i in range(len(types))
    ]
    return Simulation(
        Scenario(
            draws=Draws(42),
            start_ms=START_MS,
            tick_ms=1000,
            on_error=on_error,
            roster=make_roster((n,)),
            sites=sites,
            contract_threshold=np.array([4.0]),
            report_every_ticks=np.ones(n, np.int64),
            weather=WeatherSpec("calm", Calm, Settings()),
            loads=[LoadSpec("flat", Flat, make_members(Settings, [{}], sites=sites))],
            baselines=[
                BaselineSpec("expectation", ExpectedLoad, make_members(Settings, [{}], sites=sites))
            ],
            fleets=[
                FleetSpec(t.__name__.lower(), t, t.stage(None), m, np.arange(2 * i, 2 * i + 2))
                for i, (t, m) in enumerate(zip(types, members, strict=True))
            ],
        )
    )


class Hand:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def engine(hand: Hand, emitted: list[Batch], **options: Any) -> Engine:
    options = {"tick_s": 1.0, "speed": 1.0, **options}
    sim = options.pop("simulation", None) or simulation(Steady)
    return Engine(sim, lambda outcome: emitted.append(outcome.batch), monotonic=hand, **options)


def ticks(emitted: list[Batch]) -> list[int]:
    return [int(batch.tick[0]) for batch in emitted]


def test_tick_0_runs_at_once_and_one_more_each_second() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    for expected in range(1, 5):
        run.run_due()
        run.run_due()
        assert len(out) == expected
        hand.now += 1.0
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [0, 1000, 2000, 3000]


def test_an_overrun_is_caught_up_and_counted() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 5.5
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5]
    assert run.pace.worst_s == pytest.approx(4.5)
    # Ticks 1 to 4 are more than a wake-up late, tick 5 by half a second only.
    assert run.pace.late_ticks == 4


@given(
    st.lists(st.floats(0.0, 7.0), min_size=1, max_size=20),
    st.sampled_from([1.0, 2.0, 60.0]),
    st.sampled_from([0.1, 1.0, 60.0]),
)
def test_whatever_the_wake_ups_the_ticks_are_those_that_are_due(
    pauses: list[float], speed: float, tick_s: float
) -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, speed=speed, tick_s=tick_s, ticks=100)
    began = hand.now
    for pause in pauses:
        run.run_due()
        due = int((hand.now - began + 0.002) * speed / tick_s) + 1
        assert abs(len(out) - min(due, 100)) <= 1  # 1: where the division is on the edge
        hand.now += pause
    assert ticks(out) == list(range(len(out)))


def test_a_wake_up_a_little_early_still_runs_its_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 0.999
    run.run_due()
    assert ticks(out) == [0, 1]


def test_fast_runs_wake_at_most_twenty_times_a_second() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, speed=60.0)
    assert run.wake_s == 0.05
    run.run_due()
    hand.now += 0.02
    assert run.until_next_wake() == pytest.approx(0.03)


def test_it_finishes_after_its_last_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, ticks=3)
    hand.now += 100
    run.run_due()
    hand.now += 100
    run.run_due()
    assert not run.finished.is_set() or ticks(out) == [0, 1, 2]
    run.run_due()
    assert run.finished.is_set()
    assert ticks(out) == [0, 1, 2]


def test_paused_time_is_no_lateness_and_loses_no_tick() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 1.0
    run.run_due()
    run.pause()
    assert run.is_paused
    hand.now += 3600.0
    run.run_due()
    assert ticks(out) == [0, 1]
    assert run.behind_s() == 0.0
    run.resume()
    run.run_due()
    assert ticks(out) == [0, 1, 2]
    hand.now += 0.5
    run.run_due()
    assert ticks(out) == [0, 1, 2]
    hand.now += 0.5
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3]
    assert (run.pace.late_ticks, run.pace.worst_s) == (0, 0.0)


def test_another_speed_counts_from_the_tick_at_which_it_is_set() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    hand.now += 0.5
    run.set_speed(10.0)
    assert (run.speed, run.interval_s, run.wake_s) == (10.0, 0.1, 0.1)
    run.run_due()
    hand.now += 0.3
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4]
    run.set_speed(0.5)
    run.run_due()
    hand.now += 1.9
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5]
    hand.now += 0.1
    run.run_due()
    assert ticks(out) == [0, 1, 2, 3, 4, 5, 6]
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [1000 * i for i in range(7)]


def test_at_speed_0_no_tick_is_due_by_the_clock() -> None:
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out)
    run.run_due()
    run.set_speed(0.0)
    hand.now += 100.0
    run.run_due()
    assert ticks(out) == [0]
    assert run.behind_s() == 0.0


def test_ticks_run_on_demand_up_to_the_last() -> None:
    out = list[Batch]()
    run = engine(Hand(), out, ticks=5)
    assert run.run(0) == 0
    assert run.run(3) == 3
    assert not run.finished.is_set()
    assert run.run(3) == 2
    assert run.finished.is_set()
    assert run.run(3) == 0
    assert ticks(out) == [0, 1, 2, 3, 4]


def test_it_goes_on_where_its_simulation_is() -> None:
    sim = simulation(Steady)
    for _ in range(7):
        sim.step()
    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, simulation=sim, ticks=9)
    assert (run.first_tick, run.tick) == (7, 7)
    run.run_due()
    hand.now += 1.0
    run.run_due()
    assert run.finished.is_set()
    assert ticks(out) == [7, 8]
    assert [int(b.timestamp_ms[0]) - START_MS for b in out] == [7000, 8000]


def test_speed_0_gives_the_same_batches_as_real_time() -> None:
    hand, slow, fast = Hand(), list[Batch](), list[Batch]()
    run = engine(hand, slow, ticks=10)
    for _ in range(10):
        run.run_due()
        hand.now += 1.0
    engine(Hand(), fast, speed=0.0, ticks=10).run_free()
    assert ticks(slow) == ticks(fast) == list(range(10))
    for a, b in zip(slow, fast, strict=True):
        assert (a.timestamp_ms == b.timestamp_ms).all()
        assert (a.current_output == b.current_output).all()


def test_a_failing_plugin_ends_the_run_with_its_name() -> None:
    out = list[Batch]()
    run = engine(Hand(), out, speed=0.0, ticks=10, simulation=simulation(Steady, Failing))
    run.run_free()
    assert run.finished.is_set()
    assert isinstance(run.error, PluginError)
    assert str(run.error).startswith(
        "the DER type 'failing' failed at tick 2: RuntimeError: out of order (test_engine.py:"
    )
    assert ticks(out) == [0, 1]


def test_skip_fleet_takes_out_the_failing_fleet_alone_and_visibly() -> None:
    out = list[Batch]()
    sim = simulation(Steady, Failing, on_error="skip_fleet")
    run = engine(Hand(), out, speed=0.0, ticks=4, simulation=sim)
    run.run_free()
    assert run.error is None
    assert [b.device.tolist() for b in out] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1], [0, 1]]
    [failure] = sim.failures
    assert (failure.fleet, failure.devices, failure.tick) == ("failing", 2, 2)
    off = [Command(Target("PRJ_0", f"DER_{n}"), str(n), "disconnect") for n in (1, 3)]
    steady, failed = sim.advance(off).acknowledgements
    assert steady.status == "accepted"
    assert (failed.status, failed.reason) == ("rejected", "the DER does not answer")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Nan, r"'nan' returned current_output = nan for DER_1"),
        (Short, r"'short' returned current_output of shape \(1,\) for 2 devices"),
    ],
)
def test_what_is_not_a_number_per_device_never_leaves_the_simulation(
    bad: type[Fleet], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        simulation(bad).step()


def test_a_plugin_that_hangs_is_named() -> None:
    entered, release = threading.Event(), threading.Event()

    class Hanging(Steady):
        def step(self, tick: Tick, orders: Orders) -> Telemetry:
            entered.set()
            assert release.wait(20)
            return super().step(tick, orders)

    hand, out = Hand(), list[Batch]()
    run = engine(hand, out, ticks=1, simulation=simulation(Hanging))
    thread = threading.Thread(target=run.run_due, daemon=True)
    thread.start()
    assert entered.wait(20)
    assert run.stuck_in(2.0) == ""
    hand.now += 3.0
    assert run.stuck_in(2.0) == "the DER type 'hanging'"
    assert not run.wait_idle(0.01)
    release.set()
    thread.join(20)
    assert run.stuck_in(2.0) == ""
    assert len(out) == 1


def test_the_record_keeps_the_meter_identity_and_the_baseline() -> None:
    batch = simulation(Steady).step()
    assert batch.power_meter_measurement.tolist() == [3.0, 3.0]
    assert batch.baseline.tolist() == [2.5, 2.5]
    assert batch.current_output.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        batch.current_output[0] = 5.0


@pytest.mark.parametrize("order", [(Balancer, Sink, Steady), (Sink, Steady, Balancer)])
def test_those_who_balance_know_what_all_others_draw(order: tuple[type[Fleet], ...]) -> None:
    batch = simulation(*order).step()
    # The load draws 3, the sinks 4, the steady ones feed 2: 5 kW are shared as 1 to 2.
    output = dict(zip(order, batch.current_output.reshape(-1, 2).tolist(), strict=True))
    assert output[Balancer] == [1.67, 3.33]
    assert batch.current_output.sum() == pytest.approx(batch.power_meter_measurement[0])


class Unmakeable(Steady):
    def __init__(self, members: Members[Any]) -> None:
        raise RuntimeError("no such model")


class Crooked(Sink):
    def balances(self) -> Any:
        return np.ones(7, np.bool_)


class Leaving(Steady):
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        raise SystemExit(0)


class Boundless(Steady):
    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        return Telemetry(np.full(len(self.members), 1e307))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Unmakeable, "'unmakeable' failed during creation: RuntimeError: no such model"),
        (Crooked, r"'crooked' returned balances of shape \(7,\) for 2 devices"),
        (Leaving, "'leaving' failed at tick 0: SystemExit: 0"),
        (Boundless, r"'boundless' returned current_output = 1e\+307 for DER_2"),
    ],
)
def test_a_fleet_that_breaks_its_contract_is_named_or_taken_out(
    bad: type[Fleet], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        simulation(Steady, bad).step()
    sim = simulation(Steady, bad, on_error="skip_fleet")
    assert sim.step().device.tolist() == [0, 1]
    [failure] = sim.failures
    assert failure.fleet == bad.__name__.lower()


def test_whatever_a_plugin_raises_ends_the_run_and_does_not_hang_it() -> None:
    out = list[Batch]()

    def emit(outcome: TickResult) -> None:
        raise KeyboardInterrupt

    run = Engine(simulation(Steady), emit, tick_s=1.0, speed=1.0, ticks=5, monotonic=Hand())
    run.run_due()
    assert run.finished.is_set()
    assert isinstance(run.error, KeyboardInterrupt)
    assert out == []


def test_what_fails_at_the_end_is_the_runs_error_and_hides_no_earlier_one() -> None:
    ended = list[TickResult]()

    def emit(outcome: TickResult) -> None:
        ended.append(outcome)
        if not len(outcome.batch):
            raise OSError("no room")

    run = Engine(simulation(Steady), emit, tick_s=1.0, speed=0.0, ticks=2)
    run.run_free()
    run.finish()
    assert [len(outcome.batch) for outcome in ended] == [2, 2, 0]
    assert isinstance(run.error, OSError)
    first = run.error
    run.finish()
    assert run.error is first
