"""Each shipped day is an ordinary configuration, and has something to get right."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.check.days import NamedDay, shipped_days
from gridsim.check.listing import list_lines
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

DAYS = list(shipped_days().values())
CONFIGS = Path(__file__).parents[2] / "configs" / "days"


def test_the_days_are_those_of_the_folder_of_configurations() -> None:
    assert len(DAYS) == 12
    assert sorted(path.name for path in CONFIGS.iterdir()) == [day.path.name for day in DAYS]
    for day in DAYS:
        assert day.path.resolve() == CONFIGS / day.path.name


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_a_day_runs_to_its_end_and_settles_an_event(day: NamedDay) -> None:
    plan = make_plan(Options(day.path), files="none")
    assert plan.ticks is not None
    assert [one.name for one in plan.transports] == ["mqtt"]
    assert plan.configuration.simulation.speed == 3600
    assert 3 <= plan.ticks * plan.configuration.tick_ms / 3_600_000 <= 4
    plan.close()
    # Ticks of five minutes instead of one save time.
    coarse = make_plan(Options(day.path, overrides=("simulation.tick_s=300",)), files="none")
    assert coarse.ticks is not None
    simulation = Simulation(coarse.configuration.scenario)
    results = [simulation.advance() for _ in range(coarse.ticks)]
    coarse.close()
    settled = [one for result in results for one in result.settlements]
    assert any(abs(one.delivered_kwh) > 0.1 for one in settled)
    # No event lasts beyond the day, so that each is settled.
    due = sum(len(event.projects) for event in coarse.configuration.scenario.events)
    assert len(settled) >= due


def test_each_day_is_listed_with_one_short_sentence() -> None:
    lines = list(list_lines())
    assert [line.split()[0] for line in lines] == [day.name for day in DAYS]
    assert lines[6] == (
        "heat-wave                A hot afternoon with a peak event from 17:00 to 18:30"
    )
    assert max(map(len, lines)) <= 100


def test_the_duration_of_a_configuration_gives_way_to_the_flag() -> None:
    day = shipped_days()["heat-wave"]
    for duration, ticks in ((None, 180), ("2m", 2)):
        plan = make_plan(Options(day.path, duration=duration), files="none")
        assert plan.ticks == ticks
        plan.close()
