"""A run of the shipped chaos, and the same run without faults."""

from __future__ import annotations

import pytest

from gridsim.simulation.step import Simulation
from tests.fixtures.runs import Done, done
from tests.unit.fault_book.runs import TICKS, plan_chaos


@pytest.fixture(scope="package")
def ended() -> tuple[Simulation, Done]:
    plan = plan_chaos()
    simulation = Simulation(plan.configuration.scenario)
    return simulation, done(simulation, plan.transports[0].transport.format, TICKS)


@pytest.fixture(scope="package")
def chaos(ended: tuple[Simulation, Done]) -> Done:
    return ended[1]
