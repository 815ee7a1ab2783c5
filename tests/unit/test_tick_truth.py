"""The truth of each tick, which views show."""

from __future__ import annotations

import numpy as np
import pytest

from gridsim.contracts.results import TickResult
from gridsim.contracts.truth import TickTruth
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

CONFIG = """
[simulation]
start = 2026-06-21T15:00:00Z
tick_s = 60.0

[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 3.0
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "{project_id}_GEN"
type = "generator"
nameplate_capacity = 5.0

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
report_every_s = 120

[[events]]
id = "peak"
start = "2026-06-21T15:05:00Z"
compliance = 0.5
duration_s = 1200
target_kw = 4.0
projects = ["HOME_1", "HOME_2"]

[[faults]]
type = "offline"
id = "cable"
ders = ["HOME_3_PV"]
after_s = 120
duration_s = 120

[[transports]]
type = "stdout"
"""
TICKS = 30


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[TickResult]:
    path = tmp_path_factory.mktemp("truth") / "c.toml"
    path.write_text(CONFIG)
    simulation = Simulation(make_plan(Options(config=path)).configuration.scenario)
    return [*(simulation.advance() for _ in range(TICKS)), simulation.finish()]


def truths(results: list[TickResult]) -> list[TickTruth]:
    found = [result.truth for result in results[:TICKS]]
    return [one for one in found if one is not None]


def test_every_tick_has_its_truth_and_the_end_has_none(results: list[TickResult]) -> None:
    assert len(truths(results)) == TICKS
    assert results[-1].truth is None


def test_its_columns_are_the_readings_before_rounding(results: list[TickResult]) -> None:
    for result, truth in zip(results, truths(results), strict=False):
        batch = result.batch
        labels = batch.labels
        assert labels is not None
        np.testing.assert_allclose(
            truth.output_kw[batch.device], labels.current_output, atol=0.005001
        )
        site = batch.roster.project[batch.device]
        np.testing.assert_allclose(truth.baseline_kw[site], batch.baseline, atol=0.005001)
        assert not truth.output_kw.flags.writeable


def test_an_event_is_there_while_it_runs(results: list[TickResult]) -> None:
    running = [[one.name for one in truth.events] for truth in truths(results)]
    assert running == [[]] * 5 + [["peak"]] * 20 + [[]] * 5
    event = truths(results)[5].events[0]
    assert event.site.tolist() == [0, 1]
    assert event.target_kw.tolist() == [4.0, 4.0]
    assert event.takes_part.tolist() == [True, True]


def test_violations_are_those_of_the_settlements(results: list[TickResult]) -> None:
    settled = [one for result in results for one in result.settlements]
    assert [one.project_id for one in settled] == ["HOME_1", "HOME_2"]
    for row, own in enumerate(settled):
        judged = [
            15 * 60 + tick
            for tick, truth in enumerate(truths(results))
            if truth.events and truth.events[0].in_violation[row]
        ]
        spans = [
            minute
            for start, end in own.violations
            for minute in range(start // 60_000 % 1440, end // 60_000 % 1440)
        ]
        assert judged == spans


def test_a_fault_marks_its_devices_while_it_lasts(results: list[TickResult]) -> None:
    device = list(results[0].batch.roster.der_id).index("HOME_3_PV")
    faulty = [truth.faulty is not None and truth.faulty[device] for truth in truths(results)]
    offline = [truth.offline is not None and truth.offline[device] for truth in truths(results)]
    assert faulty == offline == [False] * 2 + [True] * 2 + [False] * (TICKS - 4)
    assert all(t.offline is not None and t.offline.sum() <= 1 for t in truths(results))
