"""Runs with faults, and the readings that leave or stay."""

from __future__ import annotations

from pathlib import Path

from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import Done, done

CHAOS = Path(__file__).parents[3] / "configs" / "chaos.toml"
START = 'simulation.start="2026-11-01T01:45:00-03:00"'
TICKS = 260  # 22 minutes, past the end of daylight saving; at 246 a frozen load differs


def plan_chaos(*overrides: str, seed: int | None = None) -> Plan:
    given = ('transports=[{type="stdout"}]', START, *overrides)
    return make_plan(Options(config=CHAOS, overrides=given, flags=Flags(seed=seed)))


def run_plan(plan: Plan, ticks: int = TICKS) -> Done:
    format = plan.transports[0].transport.format
    return done(Simulation(plan.configuration.scenario), format, ticks)
