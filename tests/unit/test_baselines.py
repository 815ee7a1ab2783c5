"""Baselines of every kind, from the TOML to the readings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.config.resolve import Flags
from gridsim.errors import PluginError, UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.testing import BaselineContract
from gridsim_plugins.baselines.constant import ConstantBaseline
from gridsim_plugins.baselines.counterfactual import CounterfactualBaseline
from gridsim_plugins.baselines.expectation import ExpectedLoad
from tests.fixtures.resumed import resumed


class TestConstantBaseline(BaselineContract):
    baseline = ConstantBaseline
    settings = ({"baseline": 2.5}, {"baseline": -1.0})


class TestExpectedLoad(BaselineContract):
    baseline = ExpectedLoad


class TestCounterfactualBaseline(BaselineContract):
    baseline = CounterfactualBaseline


START_MS = 1_782_907_200_000  # 2026-07-01T12:00:00Z, a Wednesday
QUARTERS_PER_DAY = 96

HEAD = """
[simulation]
tick_s = 900
start = 2026-07-01T12:00:00Z

[site]
timezone = "UTC"

[weather]
type = "clear"

[[transports]]
type = "stdout"
"""


def project(name: str, baseline: str = "", *, load: str = "", ders: str = "") -> str:
    load = load or '{ type = "constant", kw = 4.0 }'
    return f"""
[[projects]]
id = "{name}"
contract_threshold = 1.0
{baseline}
load = {load}

[[projects.ders]]
id = "{name}_BAT"
type = "battery"
losses = "ideal"
nameplate_capacity = 20.0
energy_capacity_kwh = 1000.0
{ders or 'strategy = "idle"'}
"""


def simulation(folder: Path, *parts: str) -> Simulation:
    path = folder / "c.toml"
    path.write_text(HEAD + "".join(parts), encoding="utf-8")
    return Simulation(make_plan(Options(path, flags=Flags())).configuration.scenario)


def refusal(folder: Path, *parts: str) -> str:
    with pytest.raises(UsageError) as error:
        simulation(folder, *parts)
    return str(error.value)


def run(simulation: Simulation, ticks: int) -> Any:
    """The baselines, [tick, project]."""
    return np.array([simulation.step().baseline for _ in range(ticks)])


CHARGES = """
strategy = "time_of_use"
charge_power = 1.0
charge_windows = ["14:00-19:00"]
discharge_windows = []
"""
LIKE_DAYS = 'baseline = { type = "like_days", days = 10, adjustment = 20 }'
EVENT = """
[[events]]
id = "peak"
start = 2026-07-01T18:00:00Z
duration_s = 3600
projects = ["AVERAGED"]
"""


def test_every_kind_of_baseline(tmp_path: Path) -> None:
    told = run(
        simulation(
            tmp_path,
            project("EXPECTED"),
            project("CONSTANT", "baseline = 7.5"),
            project("SPREAD", "baseline = { uniform = [5, 6] }"),
            project("OTHER", 'baseline = { type = "constant", kw = 2.5 }'),
            project("SPREAD_OTHER", 'baseline = { type = "constant", kw = { choice = [3.5] } }'),
            project("AVERAGED", LIKE_DAYS),
            project("BY_NAME", 'baseline = { type = "expectation" }'),
            project("NAMED", 'baseline = "like_days"'),
        ),
        3,
    )
    assert told[:, [0, 1, 3, 4, 5, 6, 7]].tolist() == [[4.0, 7.5, 2.5, 3.5, 4.0, 4.0, 4.0]] * 3
    assert 5.0 <= told[0, 2] <= 6.0


def test_a_profile_may_be_the_baseline(tmp_path: Path) -> None:
    file = tmp_path / "usual.csv"
    file.write_text("time,kw\n00:00,0\n12:00,6\n", encoding="utf-8")
    baseline = f'baseline = {{ type = "profile", path = "{file.as_posix()}" }}'
    told = run(simulation(tmp_path, project("P", baseline)), 3)
    assert told[:, 0].tolist() == [6.0, 5.88, 5.75]


def test_like_days_follow_the_meter_less_the_devices_but_for_days_with_an_event(
    tmp_path: Path,
) -> None:
    """4 kW all day, and a battery that charges with 1 kW from 14:00 to 19:00."""
    homes = [project(name, LIKE_DAYS, ders=CHARGES) for name in ("AVERAGED", "QUIET")]
    made = simulation(tmp_path, *homes, EVENT)
    told = run(made, 3 * QUARTERS_PER_DAY)

    def at(day: int, hour: int) -> Any:
        return told[(day - 1) * QUARTERS_PER_DAY + (hour - 12) * 4].tolist()

    assert at(1, 12) == at(1, 15) == at(1, 17) == [4.0, 4.0]
    # Nearly (4 + 1) / 4, which is beyond the cap; what ends at a tick shows from the next on.
    event = (18 - 12) * 4
    assert told[event - 1 : event + 6, 0].tolist() == [4.0, 4.8, 4.8, 4.8, 4.8, 4.8, 4.0]
    assert (told[:QUARTERS_PER_DAY, 1] == 4.0).all()
    # Nine days as expected, and a quiet Wednesday; then a Thursday for both.
    assert at(2, 13) == at(2, 20) == [4.0, 4.0]
    assert at(2, 15) == [4.0, 4.1]
    assert at(3, 15) == [4.1, 4.2]


def test_a_run_with_like_days_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    parts = (project("AVERAGED", LIKE_DAYS, ders=CHARGES), EVENT)
    made = simulation(tmp_path, *parts)
    run(made, 25)
    copy = resumed(made, simulation(tmp_path, *parts))
    assert run(made, 150).tolist() == run(copy, 150).tolist()


def test_a_load_without_a_past_cannot_be_averaged(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("time,kw\n2026-07-01T00:00Z,1\n2026-07-03T00:00Z,2\n", encoding="utf-8")
    load = f'{{ type = "profile", path = "{file.as_posix()}", repeat = "none" }}'
    with pytest.raises(PluginError, match="no load for 2026-06-30T07:52:30"):
        simulation(tmp_path, project("P", LIKE_DAYS, load=load))


@pytest.mark.parametrize(
    ("baseline", "complaint"),
    [
        (
            '{ type = "like_day" }',
            "there is no baseline 'like_day'; there are: counterfactual, expectation, like_days",
        ),
        ('{ type = "like_day" }', "did you mean 'like_days'?"),
        ('{ type = "constnt" }', "did you mean 'constant'?"),
        ('{ type = "like_days", dayz = 3 }', "'dayz' is not a setting of the like_days baseline"),
        ('{ type = "like_days", days = 0 }', "'days' must be at least 1"),
        ('{ type = "constant", kw = -1 }', "'kw' must be at least 0"),
        ("{ days = 3 }", "'baseline' must be a number, or a table with one of"),
        (
            "{ type = 3 }",
            "'type' must be the name of a baseline: counterfactual, expectation, like_days, const",
        ),
        ('"like_day"', "there is no baseline 'like_day'"),
        ('"profile"', "'path' is missing"),
    ],
)
def test_what_is_wrong_with_a_baseline_is_said(
    tmp_path: Path, baseline: str, complaint: str
) -> None:
    assert complaint in refusal(tmp_path, project("P", f"baseline = {baseline}"))
