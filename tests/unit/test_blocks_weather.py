"""Weather in blocks of ticks: the same values, and an error at its own tick."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from gridsim.api import Settings, Weather, WeatherSample
from gridsim.config.resolve import Flags
from gridsim.contracts.blocks import has_block
from gridsim.errors import PluginError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.blocks import LookAhead
from gridsim.simulation.calling import PluginCalls
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.weather import SiteWeather
from gridsim_plugins.weather.clear import Clear, ClearSettings

CONFIGS = Path(__file__).parents[2] / "configs"
START = Flags(start="2026-06-20T12:00:00Z")


class Counted(Weather[Settings]):
    """A weather whose temperature is the number of the tick; it notes the blocks that it makes."""

    start_ms: ClassVar[int]
    blocks: ClassVar[list[list[int]]]
    wrong: ClassVar[dict[int, float]]
    """Other temperatures by tick; NaN: it raises."""

    def at(self, time_ms: int) -> WeatherSample:
        raise AssertionError("only its blocks are used")

    def block(self, times_ms: NDArray[np.int64]) -> WeatherSample:
        ticks = ((times_ms - self.start_ms) // 1000).tolist()
        self.blocks.append(ticks)
        values = [self.wrong.get(tick, tick % 50) for tick in ticks]
        if np.isnan(values).any():
            raise ValueError("no weather")
        temperature = np.repeat(np.array(values, np.float64)[:, None], len(self.sites), axis=1)
        one = np.ones_like(temperature)
        return WeatherSample(one, one, one, temperature, one)


class AtOverridden(Clear):
    """A subclass that changes `at` and does not know of blocks."""

    def at(self, time_ms: int) -> WeatherSample:
        return replace(super().at(time_ms), wind_m_s=np.full(len(self.sites), 7.0))


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return make_plan(Options(config=CONFIGS / "default.toml", flags=START)).configuration.scenario


@pytest.fixture
def counted(scenario: Scenario) -> SiteWeather:
    Counted.start_ms, Counted.blocks, Counted.wrong = scenario.start_ms, [], {}
    return _weather(scenario, Counted, Settings())


def _weather(scenario: Scenario, type: type[Weather], settings: Settings) -> SiteWeather:
    spec = replace(scenario.weather, name="given", type=type, settings=settings)
    return SiteWeather(replace(scenario, weather=spec), PluginCalls())


def _temperature(weather: SiteWeather, tick: int) -> float:
    sample = weather.at(Counted.start_ms + tick * 1000, PluginCalls())
    assert not sample.temperature_c.flags.writeable
    return float(sample.temperature_c[0])


def test_blocks_grow_and_each_tick_is_computed_once(counted: SiteWeather) -> None:
    for tick in [0, 0, *range(1, 200)]:
        assert _temperature(counted, tick) == tick % 50
    lengths = [len(one) for one in Counted.blocks]
    assert lengths == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert [tick for one in Counted.blocks for tick in one] == list(range(sum(lengths)))


def test_after_a_jump_blocks_start_small_again(counted: SiteWeather) -> None:
    for tick in (*range(7), 500, 501, 3, 2, -1):
        assert _temperature(counted, tick) == tick % 50
    assert [len(one) for one in Counted.blocks] == [1, 2, 4, 1, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "the weather 'given' failed: ValueError: no weather"),
        (71.0, "the weather 'given' returned temperature_c = 71 for PRJ_789012: it must be from"),
    ],
)
@pytest.mark.parametrize("tick", [0, 1, 2, 20, 30, 31])
def test_an_error_in_a_block_belongs_to_its_tick(
    counted: SiteWeather, tick: int, value: float, message: str
) -> None:
    Counted.wrong[tick] = value
    for before in range(tick):
        assert _temperature(counted, before) == before % 50
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            _temperature(counted, tick)
        assert str(caught.value).startswith(message)
    del Counted.wrong[tick]
    for after in range(tick, tick + 130):
        assert _temperature(counted, after) == after % 50
    assert len(Counted.blocks[-1]) == 64


@pytest.mark.parametrize(
    "block",
    [
        np.zeros((2, 3)),
        np.zeros((1, 2)),
        np.zeros(3),
        np.array([["warm"] * 3]),
        None,
        20.0,
        np.full((1, 3), -np.inf),
    ],
)
def test_a_wrong_block_names_the_weather(
    counted: SiteWeather, monkeypatch: pytest.MonkeyPatch, block: object
) -> None:
    sample = WeatherSample(block, *[np.zeros((1, 3))] * 4)  # type: ignore[arg-type]
    monkeypatch.setattr(Counted, "block", lambda *_: sample)
    with pytest.raises(PluginError, match=r"^the weather 'given' returned .*ghi"):
        _temperature(counted, 0)
    monkeypatch.setattr(Counted, "block", lambda *_: block)
    with pytest.raises(PluginError, match=r"^the weather 'given' returned .* a WeatherSample"):
        _temperature(counted, 0)


def test_a_subclass_with_another_at_is_asked_tick_by_tick(scenario: Scenario) -> None:
    assert has_block(Clear, Weather, "at")
    assert not has_block(AtOverridden, Weather, "at")
    assert not has_block(Weather, Weather, "at")
    weather = _weather(scenario, AtOverridden, ClearSettings())
    for tick in range(3):
        assert weather.at(scenario.start_ms + tick * 1000, PluginCalls()).wind_m_s[0] == 7.0


def test_a_large_fleet_has_no_blocks() -> None:
    rows = (0, 1, 256, 257, 8192, 8193)
    assert [LookAhead(one).most for one in rows] == [64, 64, 64, 63, 2, 1]
    assert LookAhead(1, blocks=False).most == 1
