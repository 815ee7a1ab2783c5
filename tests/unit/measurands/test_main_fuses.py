"""The main fuses of sites: overloads are logged once for each site, and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridsim.contracts.results import FuseOverload
from gridsim.simulation.step import Simulation
from gridsim.text.overloads import overload_lines
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench

# 9.2 kW and a power factor of 1 at a stiff grid: some 40 A on the line.
CONFIG = """
[simulation]
speed = 0
start = 2026-03-10T00:00:00Z
measurands = ["meter_current"]
[site]
timezone = "Europe/London"
feeder_impedance = 0.0
FUSE
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "HOME_{n}"
count = 2
load = { type = "constant", kw = 9.2 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 4
[[projects]]
id = "SMALL"
main_fuse_a = 100.0
load = { type = "constant", kw = 9.2 }
[[projects.ders]]
id = "SMALL_PV"
type = "solar"
nameplate_capacity = 4
"""


def test_an_overload_is_reported_once_and_counted(bench: Bench) -> None:
    scenario, _ = bench.plan(CONFIG.replace("FUSE", "main_fuse_a = 25"))
    simulation = Simulation(scenario)
    first = simulation.advance()
    amperes = first.batch.extra["meter_current"]
    for n, one in enumerate(first.overloads):
        assert replace(one, current_a=0.0) == FuseOverload(f"HOME_{n + 1}", 1, 0.0, 25.0)
        assert one.current_a == pytest.approx(amperes[n], abs=0.005)
    assert len(first.overloads) == 2
    assert simulation.advance().overloads == ()
    assert simulation.fuse_overloads == {"HOME_1": 2, "HOME_2": 2}
    again = resumed(simulation, scenario)
    assert again.advance().overloads == ()
    assert again.fuse_overloads == {"HOME_1": 3, "HOME_2": 3}
    assert next(overload_lines(first.overloads)) == (
        f"HOME_1: {amperes[0]:.1f} A on line 1 exceed the main fuse of 25 A; further overloads are "
        "counted"
    )
    many = list(overload_lines([first.overloads[0]] * 5))
    assert len(many) == 4
    assert many[-1] == "the main fuses of 2 further projects are exceeded, too"


def test_a_current_up_to_the_rated_one_is_no_overload(bench: Bench) -> None:
    scenario, _ = bench.plan(CONFIG.replace("FUSE", ""))
    simulation = Simulation(scenario)
    assert simulation.advance().overloads == ()
    assert simulation.fuse_overloads == {}
    # The exact current of each site, and one ampere less.
    exact = 9200.0 / simulation._shared.grid.feeder.source(scenario.start_ms)  # type: ignore[union-attr]
    for rated, count in ((exact + 1e-6, 0), (exact - 1e-6, 3)):
        sites = replace(scenario.sites, main_fuse_a=np.array(rated))
        own = Simulation(replace(scenario, sites=sites))
        assert len(own.advance().overloads) == count


def test_a_run_without_fuses_keeps_nothing_of_them(bench: Bench) -> None:
    text = CONFIG.replace("FUSE", "").replace("main_fuse_a = 100.0", "")
    assert "fuses" not in Simulation(bench.plan(text)[0]).state()
