"""Values of plugins beyond their bounds are clipped and counted, or are errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import gridsim
from gridsim import TickResult
from gridsim.api import WEATHER_LIMITS, Settings, Weather, WeatherSample
from gridsim.errors import PluginError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.boundary import checked
from gridsim.simulation.calling import PluginCalls
from gridsim.simulation.step import Simulation
from gridsim.simulation.weather import SiteWeather
from gridsim.testing import WeatherContract
from gridsim.text.status import closing_lines
from tests.unit.boundary.culprits import FLEET, write

CONFIGS = Path(__file__).parents[3] / "configs"


def readings(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "control.txt").read_text().splitlines()]


@pytest.mark.parametrize("stage", ["free", "flexible"])
def test_values_beyond_the_bounds_are_clipped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "power, soc = np.array([50.0, 5.0, -5.1]), np.array([250.0, 100.0, -0.1])"
    code = FLEET.replace("STAGE", stage)
    config = write(tmp_path, "der", code, "STEP", text)
    results: list[TickResult] = []
    with gridsim.run(config, clock="manual") as run:
        run.subscribe(results.append, "queue")
        run.advance(3)
        status = run.status()
    assert [one["current_output"] for one in readings(tmp_path)[:3]] == [5.0, 5.0, -5.0]
    assert [one["current_soc"] for one in readings(tmp_path)[:3]] == [100.0, 100.0, 0.0]
    assert status.clipped == {"culprit current_output": 6, "culprit current_soc": 6}
    # The first of each column is reported as data, once.
    first, *later = [result.clipped for result in results]
    assert [(one.plugin, one.name, one.example) for one in first] == [
        ("the DER type 'culprit'", "current_soc", "250 % for HOME_1_culprit, from 0 to 100 %"),
        ("the DER type 'culprit'", "current_output", "50 kW for HOME_1_culprit, rated 5 kW"),
    ]
    assert set(later) == {()}
    assert "clipped to the bounds of the devices: 6 values of culprit current_output" in list(
        closing_lines(status)
    )
    merged = status.merge(status)
    assert merged.clipped == {"culprit current_output": 12, "culprit current_soc": 12}


@pytest.mark.parametrize(
    ("does", "clipped", "example"),
    [
        (
            "low, high = np.full(n, -50.0), high * 5.0",
            {"culprit min_kw": 6},
            "-50 kW for HOME_1_culprit, rated 5 kW",
        ),
        (
            "wish = np.array([0.0, 1.0, 1.5])",
            {"culprit preferred_kw": 2},
            "1.5 kW for HOME_3_culprit, from -1 to 1 kW",
        ),
    ],
)
def test_a_capability_beyond_the_bounds_is_clipped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    does: str,
    clipped: dict[str, int],
    example: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = FLEET.replace("STAGE", "flexible")
    config = write(tmp_path, "der", code, "CAPABILITY", does)
    results: list[TickResult] = []
    with gridsim.run(config, clock="manual") as run:
        run.subscribe(results.append)
        run.advance(2)
        assert run.status().clipped == clipped
    assert [one.example for one in results[0].clipped] == [example]


def test_a_load_is_negative_by_no_more_than_rounding() -> None:
    kw = np.array([1.0, -1e-9])
    assert checked("the load 'x'", "load", kw, ["A", "B"], each="site", least=0.0) is kw
    for load in (-1.1e-9, -1e-8, -5.0):
        with pytest.raises(PluginError, match=r"returned load = .* for B: it must not be negative"):
            checked("the load 'x'", "load", np.array([1.0, load]), ["A", "B"], least=0.0)


class Given(Weather[Settings]):
    """The weather that a test sets, the same at every site."""

    values: ClassVar[dict[str, float]] = {}

    def at(self, time_ms: int) -> WeatherSample:
        mild = dict.fromkeys(WEATHER_LIMITS, 1.0) | self.values
        rows = {name: np.ones(len(self.sites)) for name in mild}
        for name, value in mild.items():
            rows[name][-1] = value
        return WeatherSample(**rows)


@pytest.fixture(scope="module")
def site_weather() -> SiteWeather:
    plan = make_plan(Options(config=CONFIGS / "default.toml"))
    scenario = plan.configuration.scenario
    spec = replace(scenario.weather, name="given", type=Given, settings=Settings())
    return SiteWeather(replace(scenario, weather=spec), PluginCalls())


@pytest.mark.parametrize("field", WEATHER_LIMITS)
def test_weather_is_within_its_limits(
    site_weather: SiteWeather, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    least, most, unit = WEATHER_LIMITS[field]
    site = site_weather._ids[-1]
    for value in (least, most, (least + most) / 2):
        monkeypatch.setattr(Given, "values", {field: value})
        assert getattr(site_weather.at(0, PluginCalls()), field)[-1] == value
    allowed = "not be negative" if least == 0.0 else f"be from {least:g} to {most:g} {unit}"
    finite = "a value must be finite and at most 1e+12"
    for value, must in [
        (np.nextafter(most, np.inf), f"it must be from {least:g} to {most:g} {unit}"),
        (least - 0.01, f"it must {allowed}"),
        (-1e9, f"it must {allowed}"),
        (np.nan, finite),
        (np.inf, finite),
        (-np.inf, finite),
        (1e300, finite),
    ]:
        monkeypatch.setattr(Given, "values", {field: value})
        with pytest.raises(PluginError) as caught:
            site_weather.at(0, PluginCalls())
        shown = f"{value:g}" if abs(value) < 1e12 else f"{value}"
        assert str(caught.value) == (
            f"the weather 'given' returned {field} = {shown} for {site}: {must} "
            f"(test_values.py:{Given.at.__code__.co_firstlineno} in at)"
        )


@pytest.mark.parametrize("field", WEATHER_LIMITS)
def test_the_contract_test_finds_weather_beyond_its_limits(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    class Contract(WeatherContract):
        weather = Given

    least, most, _ = WEATHER_LIMITS[field]
    for value in (least - 1.0, most + 1.0, np.nan, np.inf):
        monkeypatch.setattr(Given, "values", {field: value})
        with pytest.raises(AssertionError, match=f"{field} is not from"):
            Contract().test_the_sky_is_physical()


def test_a_rounding_beyond_the_bounds_is_neither_clipped_nor_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write(tmp_path, "der", FLEET, "STEP", "power = power * (5.0 + 1e-12); soc += 50.0")
    with gridsim.run(config, clock="manual") as run:
        run.advance(2)
        assert run.status().clipped == {}


@pytest.mark.parametrize("config", ["neighbourhood", "default", "chaos", "fleet-10k"])
def test_no_built_in_der_type_goes_beyond_its_bounds(config: str) -> None:
    overrides = ("projects.0.count=20",) if config == "fleet-10k" else ()
    plan = make_plan(Options(config=CONFIGS / f"{config}.toml", overrides=overrides))
    simulation = Simulation(plan.configuration.scenario)
    for _ in range(150):
        simulation.advance()
    assert simulation.clipped == {}
