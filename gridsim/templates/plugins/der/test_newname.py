"""The contract tests of gridsim, and one of the model."""

from __future__ import annotations

import numpy as np
from gridsim.api import Orders, fleet_of
from gridsim.testing import START_MS, FleetContract, make_members, make_tick

from .newname import NewName


class TestNewName(FleetContract):
    fleet = NewName
    settings = (
        {"nameplate_capacity": 2.0},
        {"nameplate_capacity": 5.0, "starts_at": 22, "runs_for": 6},
    )


def test_it_draws_its_rated_power_in_its_window_alone() -> None:
    entry = {"nameplate_capacity": 2.0, "starts_at": 9.0, "runs_for": 1.0}
    fleet = fleet_of(NewName, "newname")(make_members(NewName.Settings, [entry], tick_s=1800))
    nothing = Orders(setpoint_kw=np.array([np.nan]), balance_kw=np.zeros(1))
    # The ticks of the tests begin at 09:00 by the clock of their site.
    ticks = [make_tick(index, start_ms=START_MS, tick_s=1800) for index in range(4)]
    reports = [fleet.step(tick, nothing) for tick in ticks]
    assert [float(report.current_output[0]) for report in reports] == [-2.0, -2.0, 0.0, 0.0]
    assert float(reports[-1].extra["energy"][0]) == 2.0
