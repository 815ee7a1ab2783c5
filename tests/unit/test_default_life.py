"""The default fleet at every hour: within 20 seconds something visibly moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gridsim.running.plan import DEFAULT_CONFIG, DEMO_CONFIG, Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

SECONDS = 20
VISIBLE_KW = 0.1
DAYS = ("2026-01-15", "2026-04-08", "2026-07-14", "2026-12-24")


@cache
def default_fleet() -> Scenario:
    scenario = make_plan(Options(DEFAULT_CONFIG)).configuration.scenario
    assert scenario.tick_ms == 1000
    return scenario


def moves(day: str, hour: int) -> bool:
    """Some DER's output changes visibly within 20 s from an hour of the site's clock."""
    zone = ZoneInfo("America/Moncton")
    start = datetime.fromisoformat(day).replace(tzinfo=zone) + timedelta(hours=hour, minutes=17)
    simulation = Simulation(replace(default_fleet(), start_ms=round(start.timestamp() * 1000)))
    first = simulation.step().current_output
    low, high = first, first
    for _ in range(SECONDS - 1):
        now = simulation.step().current_output
        low, high = np.minimum(low, now), np.maximum(high, now)
        if (high - low).max() >= VISIBLE_KW:
            return True
    return False


@pytest.mark.parametrize("day", DAYS)
def test_something_moves_at_every_hour(day: str) -> None:
    still = [hour for hour in range(24) if not moves(day, hour)]
    assert still == []


def test_it_runs_in_real_time_unless_asked_otherwise() -> None:
    assert make_plan(Options(DEFAULT_CONFIG)).configuration.simulation.speed == 1.0


def test_the_demo_is_a_summer_noon_with_an_event_that_is_kept_and_two_faults() -> None:
    configuration = make_plan(Options(DEMO_CONFIG, duration="2h")).configuration
    assert configuration.simulation.speed == 60.0
    scenario = configuration.scenario
    assert [fault.id for fault in scenario.faults] == ["offline", "sign_flip"]
    simulation = Simulation(scenario)
    results = [simulation.advance() for _ in range(12 * 60)]
    settled = [one for result in results for one in result.settlements]
    assert {one.project_id for one in settled} == {f"HOME_{n}" for n in range(1, 7)}
    assert [one.violations for one in settled] == [()] * 6
