"""Copies of plugins, and the counterfactual as the baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.simulation.step import Simulation
from tests.unit.counterfactual.case import MIXED, Case, at, battery, counted, event

PLUGIN = """
import threading

from gridsim.api import Device, DeviceTick, Register, hookimpl


class Odd(Device):
    def __init__(self, settings):
        super().__init__(settings)
        {init}

    def step(self, tick: DeviceTick) -> float:
        {step}
        return 0.0


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("odd", Odd)
"""
ODD = """
[[projects.ders]]
id = "O"
type = "odd"
nameplate_capacity = 1.0
"""


@pytest.mark.parametrize(
    ("init", "step", "reason"),
    [
        ("self.lock = threading.Lock()", "", "cannot copy the DER type 'odd': TypeError: cannot"),
        (
            "self.own = id(self)",
            "if id(self) != self.own: raise ValueError('not mine')",
            "its copy failed: ",
        ),
        ("", "", None),
    ],
)
def test_a_plugin_that_cannot_be_copied_is_named_and_the_run_goes_on(
    tmp_path: Path, init: str, step: str, reason: str | None
) -> None:
    text = PLUGIN.format(init=init or "pass", step=step or "pass")
    (tmp_path / "odd.py").write_text(text, encoding="utf-8")
    case = Case(tmp_path, battery(), ODD, event(), simulation='plugins = ["./odd.py"]').run(40)
    unmeasured = [one for result in case.results for one in result.unmeasured]
    if reason is None:
        assert unmeasured == []
        assert len(case.truths) == 1
    else:
        assert [one.event for one in unmeasured] == ["peak"]
        assert reason in unmeasured[0].reason
        assert case.settlements["peak", "HOME_1"].delivered_kwh == 0.5


COUNTERFACTUAL = MIXED.replace("contract_threshold = 1.5", "contract_threshold = 1.5\n{baseline}")
NAMED = 'baseline = "counterfactual"'


@pytest.mark.parametrize("measures", [True, False])
def test_with_the_counterfactual_as_baseline_the_settlement_is_the_truth(
    tmp_path: Path, measures: bool
) -> None:
    homes = COUNTERFACTUAL.format(count=6, baseline=NAMED)
    peak = event(minutes=20, more="notice_s = 120\nramp_s = 60\nopt_out = 0.3")
    case = Case(tmp_path, homes, peak)
    if not measures:
        case.simulation = Simulation(case.plain)
    case.run(45)
    without = Case(tmp_path, homes).run(45)
    project = case.scenario.roster.project
    first = np.unique(project, return_index=True)[1]
    batches = [result.batch for result in case.results]
    baseline = np.array([batch.baseline[first] for batch in batches])
    took_part = [
        case.settlements["peak", name].ending == "completed"
        for name in case.scenario.roster.project_id
    ]
    assert 0 < sum(took_part) < 6
    inside = slice(at("18:10"), at("18:30"))
    # In the event it is what the copy draws, at other times what the site draws.
    expected = case.net()
    expected[inside, took_part] = without.net()[inside, took_part]
    assert baseline == pytest.approx(expected, abs=1e-9)
    reduced = counted(case.net(), without.net(), "18:10", "18:30")
    for row, name in enumerate(case.scenario.roster.project_id):
        settled = case.settlements["peak", name].delivered_kwh
        assert settled == pytest.approx(reduced[row], abs=1e-9)
        if measures:
            assert case.truths["peak", name].true_kwh == settled
    assert bool(case.truths) == measures


def test_without_events_a_counterfactual_baseline_is_the_net_consumption(tmp_path: Path) -> None:
    homes = COUNTERFACTUAL.format(count=2, baseline='baseline = { type = "counterfactual" }')
    case = Case(tmp_path, homes).run(5)
    first = np.unique(case.scenario.roster.project, return_index=True)[1]
    baseline = np.array([result.batch.baseline[first] for result in case.results])
    assert baseline == pytest.approx(case.net(), abs=1e-9)


def test_a_battery_that_delivers_anyway_has_to_deliver_more(tmp_path: Path) -> None:
    """It balances 3 kW; the event asks for 2 kW below that, the most that its 5 kW allow."""
    home = battery(strategy="self_consumption", capacity=40.0, baseline='"counterfactual"')
    case = Case(tmp_path, home, event()).run(40)
    settled = case.settlements["peak", "HOME_1"]
    assert (settled.delivered_kwh, settled.violations) == (0.5, ())
    assert case.truths["peak", "HOME_1"].true_kwh == 0.5


def test_an_event_without_a_copy_has_the_expectation(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        PLUGIN.format(init="self.lock = threading.Lock()", step="pass"), encoding="utf-8"
    )
    home = battery(strategy="self_consumption", baseline='"counterfactual"')
    case = Case(tmp_path, home, ODD, event(), simulation='plugins = ["./odd.py"]').run(40)
    told = [float(result.batch.baseline[0]) for result in case.results]
    assert told[at("18:05")] == told[at("18:30")] == 0.0
    assert told[at("18:12")] == 3.0
