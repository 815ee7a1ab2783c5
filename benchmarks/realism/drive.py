"""Ways to run the models: a simulation of a configuration, or one fleet on its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.api import (
    Capability,
    Fleet,
    Floats,
    Load,
    Orders,
    Telemetry,
    Tick,
    Weather,
    WeatherSample,
)
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_tick


def utc_ms(text: str) -> int:
    """ms since 1970 of an ISO 8601 time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def scenario_of(text: str) -> Scenario:
    """Return the scenario of a configuration without transports."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "realism.toml"
        path.write_text(text + '\n[[transports]]\ntype = "stdout"\n')
        return make_plan(Options(config=path)).configuration.scenario


@dataclass(slots=True)
class Telltale:
    """The values of the models in each tick, before anything was rounded."""

    sky: list[WeatherSample] = field(default_factory=list)
    load: list[Floats] = field(default_factory=list)
    told: dict[str, list[Telemetry]] = field(default_factory=dict)
    able: dict[str, list[Capability]] = field(default_factory=dict)
    orders: dict[str, list[Orders]] = field(default_factory=dict)


def overheard(scenario: Scenario) -> tuple[Simulation, Telltale]:
    """A simulation, and what its weather, loads and fleets say to it as it steps.

    One load and one fleet per type and stage; those are named `type/stage`.
    """
    heard = Telltale()

    def hearing(kind: type[Any], methods: Mapping[str, Callable[..., None]]) -> type[Any]:
        def wrap(name: str, note: Callable[..., None]) -> Callable[..., Any]:
            def method(self: Any, *args: Any) -> Any:
                result = getattr(kind, name)(self, *args)
                note(result, *args)
                return result

            return method

        return type(kind.__name__, (kind,), {n: wrap(n, note) for n, note in methods.items()})

    def fleet(kind: type[Fleet], name: str) -> type[Fleet]:
        told, able = heard.told.setdefault(name, []), heard.able.setdefault(name, [])
        orders = heard.orders.setdefault(name, [])

        def step(result: Telemetry, tick: Tick, asked: Orders) -> None:
            told.append(result)
            orders.append(asked)

        return hearing(kind, {"step": step, "capability": lambda result, tick: able.append(result)})

    weather: type[Weather] = hearing(
        scenario.weather.type, {"at": lambda result, time_ms: heard.sky.append(result)}
    )
    load: type[Load] = hearing(
        scenario.loads[0].type, {"at": lambda result, tick: heard.load.append(result)}
    )
    changed = replace(
        scenario,
        weather=replace(scenario.weather, type=weather),
        loads=[replace(spec, type=load) for spec in scenario.loads],
        fleets=[
            replace(spec, type=fleet(spec.type, f"{spec.name}/{spec.stage}"))
            for spec in scenario.fleets
        ],
    )
    return Simulation(changed), heard


def drive(
    kind: type[Fleet],
    settings: Sequence[Mapping[str, Any]],
    setpoints: Callable[[int], Floats],
    ticks: int,
    tick_s: float,
    skies: Callable[[Tick], WeatherSample] | None = None,
    **members: Any,
) -> list[Telemetry]:
    """Steps one fleet; `setpoints` gives float64[n], kW or NaN, for a tick's index."""
    made = make_members(kind.Settings, settings, tick_s=tick_s, **members)
    fleet = kind(made)
    flexible = kind.stage(made.settings[0]) == "flexible"
    told = []
    for index in range(ticks):
        tick = make_tick(index, tick_s=tick_s, start_ms=made.start_ms)
        if skies is not None:
            tick = replace(tick, weather=skies(tick))
        if flexible:
            fleet.capability(tick)
        told.append(fleet.step(tick, Orders(setpoints(index), np.zeros(len(made)))))
    return told


def outputs(told: Sequence[Telemetry]) -> Floats:
    """kW, [tick, device]."""
    return np.array([one.current_output for one in told])


def socs(told: Sequence[Telemetry]) -> Floats:
    """%, [tick, device]."""
    return np.array([one.current_soc for one in told], np.float64)


def extras(told: Sequence[Telemetry], name: str) -> Floats:
    """A further column, [tick, device]."""
    return np.array([one.extra[name] for one in told])
