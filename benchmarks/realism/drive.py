"""The functions that run the models: a simulation of a configuration, or a single fleet."""

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
    """Return the Return the ms since 1970 of an ISO 8601 time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def scenario_of(text: str) -> Scenario:
    """Return the scenario of a configuration without transports."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "realism.toml"
        path.write_text(text + '\n[[transports]]\ntype = "stdout"\n')
        return make_plan(Options(config=path)).configuration.scenario


@dataclass(slots=True)
class ModelRecording:
    """The values of the models in each tick, before they are rounded."""

    sky: list[WeatherSample] = field(default_factory=list)
    load: list[Floats] = field(default_factory=list)
    telemetry: dict[str, list[Telemetry]] = field(default_factory=dict)
    able: dict[str, list[Capability]] = field(default_factory=dict)
    orders: dict[str, list[Orders]] = field(default_factory=dict)


def recorded(scenario: Scenario) -> tuple[Simulation, ModelRecording]:
    """Return a simulation, and the values that its weather, loads and fleets return as it steps.

    One load and one fleet per type and stage; those are named `type/stage`.
    """
    recording = ModelRecording()

    def recording_type(kind: type[Any], methods: Mapping[str, Callable[..., None]]) -> type[Any]:
        def wrap(name: str, note: Callable[..., None]) -> Callable[..., Any]:
            def method(self: Any, *args: Any) -> Any:
                result = getattr(kind, name)(self, *args)
                note(result, *args)
                return result

            return method

        return type(kind.__name__, (kind,), {n: wrap(n, note) for n, note in methods.items()})

    def fleet(kind: type[Fleet], name: str) -> type[Fleet]:
        telemetry, able = (
            recording.telemetry.setdefault(name, []),
            recording.able.setdefault(name, []),
        )
        orders = recording.orders.setdefault(name, [])

        def step(result: Telemetry, tick: Tick, asked: Orders) -> None:
            telemetry.append(result)
            orders.append(asked)

        return recording_type(
            kind, {"step": step, "capability": lambda result, tick: able.append(result)}
        )

    weather: type[Weather] = recording_type(
        scenario.weather.type, {"at": lambda result, time_ms: recording.sky.append(result)}
    )
    load: type[Load] = recording_type(
        scenario.loads[0].type, {"at": lambda result, tick: recording.load.append(result)}
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
    return Simulation(changed), recording


def drive(
    kind: type[Fleet],
    settings: Sequence[Mapping[str, Any]],
    setpoints: Callable[[int], Floats],
    ticks: int,
    tick_s: float,
    skies: Callable[[Tick], WeatherSample] | None = None,
    **members: Any,
) -> list[Telemetry]:
    """Step one fleet; `setpoints` returns float64[n], kW or NaN, for a tick's index."""
    made = make_members(kind.Settings, settings, tick_s=tick_s, **members)
    fleet = kind(made)
    flexible = kind.stage(made.settings[0]) == "flexible"
    telemetry = []
    for index in range(ticks):
        tick = make_tick(index, tick_s=tick_s, start_ms=made.start_ms)
        if skies is not None:
            tick = replace(tick, weather=skies(tick))
        if flexible:
            fleet.capability(tick)
        telemetry.append(fleet.step(tick, Orders(setpoints(index), np.zeros(len(made)))))
    return telemetry


def outputs(telemetry: Sequence[Telemetry]) -> Floats:
    """Return the outputs, Return the outputs, kW, [tick, device]."""
    return np.array([one.current_output for one in telemetry])


def socs(telemetry: Sequence[Telemetry]) -> Floats:
    """Return the states of charge, Return the states of charge, %, [tick, device]."""
    return np.array([one.current_soc for one in telemetry], np.float64)


def extras(telemetry: Sequence[Telemetry], name: str) -> Floats:
    """Return a further column, [tick, device]."""
    return np.array([one.extra[name] for one in telemetry])
