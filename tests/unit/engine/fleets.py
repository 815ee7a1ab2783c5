"""Small fleets, and an engine whose clock a test sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from gridsim.api import (
    Batch,
    Capability,
    DerSettings,
    Draws,
    Fleet,
    Load,
    Members,
    Orders,
    Settings,
    Stage,
    Telemetry,
    Tick,
    Weather,
    WeatherSample,
)
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
