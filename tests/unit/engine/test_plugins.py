"""Plugins that fail, hang or break their contract in a run."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    Batch,
    Command,
    Fleet,
    Members,
    Orders,
    Target,
    Telemetry,
    Tick,
)
from gridsim.contracts.results import TickResult
from gridsim.errors import PluginError
from gridsim.running.engine import Engine
from tests.unit.engine.fleets import Balancer, Hand, Sink, Steady, engine, simulation, ticks


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


def test_a_failing_plugin_ends_the_run_with_its_name() -> None:
    out = list[Batch]()
    run = engine(Hand(), out, speed=0.0, ticks=10, simulation=simulation(Steady, Failing))
    run.run_free()
    assert run.finished.is_set()
    assert isinstance(run.error, PluginError)
    assert str(run.error).startswith(
        "the DER type 'failing' failed at tick 2: RuntimeError: out of order (test_plugins.py:"
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
