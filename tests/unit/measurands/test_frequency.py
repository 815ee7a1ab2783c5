"""The frequency of the grid: its statistics, and where it is the same."""

from __future__ import annotations

from typing import get_args
from zoneinfo import available_timezones

import numpy as np
import pytest

from gridsim.api import Draws
from gridsim.config.tables.site import SynchronousArea
from gridsim.helpers.mains import mains_of
from gridsim.helpers.synchronous_areas import SYNCHRONOUS_AREAS, synchronous_area_of
from gridsim.simulation.measurands.frequency import Frequency
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import ARRAY, Bench

HOUR_MS = 3_600_000
START = "2026-03-10T00:59:40Z"
SITES = (("BERLIN", "Europe/Berlin"), ("PARIS", "Europe/Paris"), ("HOUSTON", "America/Chicago"))


def configuration(tick_s: float, more: str = "") -> str:
    head = f"""
[simulation]
seed = 3
tick_s = {tick_s}
speed = 0
start = {START}
measurands = ["frequency"]
[weather]
type = "clear"
[[transports]]
type = "stdout"
"""
    homes = (
        f'[[projects]]\nid = "{name}"\ntimezone = "{zone}"\n'
        + (more if name == "HOUSTON" else "")
        + ARRAY
        for name, zone in SITES
    )
    return head + "".join(homes)


def frequencies(simulation: Simulation, ticks: int) -> list[list[float]]:
    return [simulation.step().extra["frequency"].tolist() for _ in range(ticks)]


@pytest.mark.parametrize("name", ["continental-europe", "quebec"])
def test_it_has_the_statistics_of_its_area(name: str) -> None:
    area = SYNCHRONOUS_AREAS[name]
    frequency = Frequency(Draws(1), name)
    step_s = 10
    times = range(0, 120 * HOUR_MS, step_s * 1000)
    deviation = np.array([frequency.at(time) for time in times]) - area.nominal_hz
    # 120 hours have some 700 to 1,400 independent values.
    assert abs(deviation.mean()) < 0.2 * area.deviation_hz
    assert deviation.std() == pytest.approx(area.deviation_hz, rel=0.08)
    lag = round(area.correlation_s / step_s)
    correlation = np.corrcoef(deviation[:-lag], deviation[lag:])[0, 1]
    assert correlation == pytest.approx(np.exp(-1.0), abs=0.08)


def test_it_is_continuous_and_depends_on_the_time_alone() -> None:
    one, other = (Frequency(Draws(5), "great-britain") for _ in range(2))
    hours = [one.at(hour * HOUR_MS) for hour in range(5)]
    assert hours == [other.at(hour * HOUR_MS) for hour in reversed(range(5))][::-1]
    assert len(set(hours)) == 5
    for hour in range(1, 5):
        before = other.at(hour * HOUR_MS - 1)
        assert before == pytest.approx(hours[hour], abs=1e-4)
        ends = other.at(hour * HOUR_MS), other.at(hour * HOUR_MS + 1000)
        assert other.at(hour * HOUR_MS + 250) == pytest.approx(np.interp(0.25, [0, 1], ends))
    # Changes within a second are a fraction of the deviation, across the hour as elsewhere.
    seconds = np.array([one.at(time) for time in range(HOUR_MS - 20_000, HOUR_MS + 20_000, 1000)])
    assert 0.002 < np.abs(np.diff(seconds)).max() < 0.030
    assert Frequency(Draws(6), "great-britain").at(0) != hours[0]
    assert Frequency(Draws(5), "nordic").at(0) != hours[0]


def test_all_sites_of_an_area_have_it_at_every_tick_and_after_a_checkpoint(bench: Bench) -> None:
    scenario, _ = bench.plan(configuration(10.0))
    fine = frequencies(Simulation(scenario), 7)
    for berlin, paris, houston in fine:
        assert berlin == paris == pytest.approx(50.0, abs=0.1)
        assert houston == pytest.approx(60.0, abs=0.1)
    assert len({row[0] for row in fine}) > 3
    first = Simulation(scenario)
    begun = frequencies(first, 3)
    assert [*begun, *frequencies(resumed(first, scenario), 4)] == fine
    shard = Simulation(scenario.subset(["HOUSTON"]))
    assert frequencies(shard, 7) == [[row[2]] for row in fine]
    coarse, _ = bench.plan(configuration(30.0))
    assert frequencies(Simulation(coarse), 3) == fine[::3]
    texas, _ = bench.plan(configuration(30.0, 'synchronous_area = "texas"\n'))
    assert texas.sites.synchronous_area == ["continental-europe", "continental-europe", "texas"]
    assert frequencies(Simulation(texas), 1)[0][:2] == fine[0][:2]


def test_a_wrong_area_is_refused(bench: Bench) -> None:
    with pytest.raises(Exception, match="error") as caught:
        bench.plan(configuration(10.0, 'synchronous_area = "europe"\n'))
    assert "synchronous_area" in str(caught.value)
    assert "continental-europe" in str(caught.value)


def test_every_time_zone_has_an_area() -> None:
    assert set(get_args(SynchronousArea)) == set(SYNCHRONOUS_AREAS)
    zones = sorted(available_timezones())
    areas = {name: synchronous_area_of(name) for name in zones}
    assert set(areas.values()) <= set(SYNCHRONOUS_AREAS)
    # Homes of 120 V have 60 Hz, except in a few places; those of 230 V in Europe have 50 Hz.
    low = {name for name in zones if mains_of(name).nominal_voltage == 120.0}
    of_50 = {name for name in low if SYNCHRONOUS_AREAS[areas[name]].nominal_hz == 50.0}
    assert of_50 == {
        "Africa/Monrovia",
        "America/Barbados",
        "America/Curacao",
        "America/Jamaica",
    } | ({"Jamaica"})
    for zone, area in (
        ("Europe/Berlin", "continental-europe"),
        ("Europe/Dublin", "ireland"),
        ("Europe/Stockholm", "nordic"),
        ("Europe/Moscow", "other-50"),
        ("America/Indiana/Knox", "eastern-interconnection"),
        ("America/Moncton", "eastern-interconnection"),
        ("America/Los_Angeles", "western-interconnection"),
        ("America/Montreal", "quebec"),
        ("America/Argentina/Ushuaia", "other-50"),
        ("America/Sao_Paulo", "other-60"),
        ("US/Pacific", "western-interconnection"),
        ("Asia/Seoul", "other-60"),
        ("Australia/Sydney", "other-50"),
        ("UTC", "other-50"),
    ):
        assert areas[zone] == area, zone
