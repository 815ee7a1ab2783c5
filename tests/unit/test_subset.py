"""A scenario of some of the projects gives what the whole gives for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch, Labels
from gridsim.config.resolve import Flags
from gridsim.contracts.batch import COLUMNS
from gridsim.contracts.results import TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import ARRAY, BATTERY, HEAD, HOME, Bench

CONFIGS = Path(__file__).parents[2] / "configs"
LABELS = tuple(field.name for field in fields(Labels))


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of one batch, each with the name of its device, sorted by device.

    A device's rows keep their order: which of them are late, repeated or overtaken shows.
    """

    der_id: Sequence[str]
    columns: dict[str, Any]


def rows_of(batches: Sequence[Batch], whole: Scenario) -> Columns:
    place = {name: index for index, name in enumerate(whole.roster.der_id)}
    device = np.concatenate(
        [np.array([place[one.roster.der_id[d]] for d in one.device], np.intp) for one in batches]
    )
    order = np.argsort(device, kind="stable")
    columns = {
        name: np.concatenate([getattr(one, name) for one in batches])[order]
        for name in COLUMNS
        if name != "device"
    }
    for name in batches[0].extra:
        columns[name] = np.concatenate([one.extra[name] for one in batches])[order]
    for name in LABELS if batches[0].labels is not None else ():
        columns[f"true {name}"] = np.concatenate([getattr(b.labels, name) for b in batches])[order]
    return Columns([whole.roster.der_id[one] for one in device[order].tolist()], columns)


def assert_same_rows(one: Columns, other: Columns) -> None:
    assert one.der_id == other.der_id
    assert one.columns.keys() == other.columns.keys()
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name], err_msg=name)


def results(scenario: Scenario, ticks: int) -> Iterator[TickResult]:
    simulation = Simulation(scenario)
    for _ in range(ticks):
        yield simulation.advance()
    yield simulation.finish()


def facts(every: Sequence[TickResult], name: str) -> list[str]:
    """The facts of one kind, of one tick and several shards, in an order that all share."""
    return sorted(repr(one) for result in every for one in getattr(result, name))


def assert_shards_give_what_the_whole_gives(
    scenario: Scenario, shards: Sequence[Scenario], ticks: int
) -> list[TickResult]:
    parts = zip(*(results(shard, ticks) for shard in shards), strict=True)
    seen = []
    for whole, some in zip(results(scenario, ticks), parts, strict=True):
        batches = [one.batch for one in some]
        assert_same_rows(rows_of(batches, scenario), rows_of([whole.batch], scenario))
        unsent = [one.unsent for one in some if one.unsent is not None]
        assert (whole.unsent is not None) == bool(unsent)
        if whole.unsent is not None:
            assert_same_rows(rows_of(unsent, scenario), rows_of([whole.unsent], scenario))
        for name in ("settlements", "episodes"):
            assert facts(some, name) == facts([whole], name)
        seen.append(whole)
    return seen


@pytest.mark.parametrize(
    ("config", "start", "tick_s", "ticks", "stride"),
    [
        ("neighbourhood.toml", "2026-06-20T12:00:00-03:00", 10, 30, 3),
        # From before the first event to after the last.
        ("dr-event.toml", "2026-07-14T15:20:00-03:00", 60, 83, 2),
        # Over the night hour in which the clocks go back.
        ("chaos.toml", "2026-11-01T01:45:00-03:00", 15, 80, 2),
    ],
)
def test_shards_of_shipped_configurations_give_what_the_whole_gives(
    config: str, start: str, tick_s: float, ticks: int, stride: int
) -> None:
    """Shards that take turns over the projects: every kind of project is in several of them."""
    path = CONFIGS / config
    overrides = (f"simulation.tick_s={tick_s}",)
    plan = make_plan(Options(config=path, overrides=overrides, flags=Flags(start=start)))
    scenario = plan.configuration.scenario
    n = len(scenario.sites)
    shards = [scenario.subset(range(first, n, stride)) for first in range(stride)]
    seen = assert_shards_give_what_the_whole_gives(scenario, shards, ticks)
    assert bool(scenario.events) == any(one.settlements for one in seen)
    assert bool(scenario.faults) == any(one.episodes for one in seen)


MIXED = (
    HEAD
    + HOME
    + ARRAY.replace("6.0", "6.0\nreport_on_change = { current_output = 0.05 }")
    + BATTERY
    + HOME.replace("HOME_", "SHOP_").replace(
        "load =", 'baseline = { type = "like_days", slot_min = 60 }\nload ='
    )
    + BATTERY
    + HOME.replace("HOME_", "YARD_").replace("load =", 'baseline = { type = "household" }\nload =')
    + ARRAY.replace("6.0", "6.0\nreport_every_s = 30")
    + """
[[events]]
id = "shops"
projects = ["SHOP_*"]
after_s = 60
duration_s = 120
randomize_start_s = 60

[[faults]]
type = "spike"
ders = ["SHOP_*"]

[[faults]]
type = "offline"
ders = ["HOME_*"]
per_day = 500.0
duration_s = 60
of = "project"
"""
)


@pytest.fixture
def mixed(tmp_path: Path) -> Scenario:
    return Bench(tmp_path).plan(MIXED)[0]


def test_shards_by_kind_give_what_the_whole_gives(mixed: Scenario) -> None:
    """A shard may have no fault, no event, no project with such a baseline."""
    kinds = ("HOME", "SHOP", "YARD")
    ids = mixed.roster.project_id
    shards = [mixed.subset([name for name in ids if name.startswith(kind)]) for kind in kinds]
    assert [len(shard.events) for shard in shards] == [0, 1, 0]
    assert [[len(spec.device) for spec in shard.faults] for shard in shards] == [
        [0, 6],
        [3, 0],
        [0, 0],
    ]
    assert [len(shard.fleets) for shard in shards] == [2, 1, 1]
    seen = assert_shards_give_what_the_whole_gives(mixed, shards, 40)
    assert sum(len(one.settlements) for one in seen) == 3


def test_a_subset_keeps_the_order_of_the_configuration(mixed: Scenario) -> None:
    subset = mixed.subset(["YARD_1", "HOME_2", 4])
    assert list(subset.roster.project_id) == ["HOME_2", "SHOP_2", "YARD_1"]
    assert list(subset.sites.ids) == ["HOME_2", "SHOP_2", "YARD_1"]
    assert list(subset.roster.der_id) == ["HOME_2_PV", "HOME_2_BAT", "SHOP_2_BAT", "YARD_1_PV"]
    assert subset.roster.project.tolist() == [0, 0, 1, 2]
    assert subset.report_every_ticks.tolist() == [0, 1, 1, 3]
    np.testing.assert_array_equal(
        subset.report_on_change["current_output"], [0.05, np.nan, np.nan, np.nan]
    )
    assert mixed.subset(["SHOP_1"]).report_on_change == {}
    assert subset.roster.columns == mixed.roster.columns


def test_the_subset_of_all_is_the_whole(mixed: Scenario) -> None:
    every = mixed.subset(range(9))
    assert_shards_give_what_the_whole_gives(mixed, [every], 10)
    assert [len(one.members) for one in every.fleets] == [len(one.members) for one in mixed.fleets]


def test_a_subset_of_a_subset(mixed: Scenario) -> None:
    twice = mixed.subset([0, 3, 8]).subset(["SHOP_1"])
    once = mixed.subset(["SHOP_1"])
    for one, other in zip(results(twice, 40), results(once, 40), strict=True):
        assert_same_rows(rows_of([one.batch], mixed), rows_of([other.batch], mixed))
        assert one.settlements == other.settlements


@pytest.mark.parametrize(
    ("projects", "complaint"),
    [
        ([], "a scenario needs at least one project"),
        (["HOME_9"], "there is no project 'HOME_9' in this scenario"),
        ([9], "there is no project 9 in this scenario"),
        ([-1], "there is no project -1 in this scenario"),
        ([0, 1, 0], "the project 0 is given twice"),
        ([1, "HOME_2"], "the project 'HOME_2' is given twice"),
    ],
)
def test_projects_that_are_not_there_are_refused(
    mixed: Scenario, projects: list[int | str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        mixed.subset(projects)
