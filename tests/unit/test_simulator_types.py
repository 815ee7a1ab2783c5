"""A program of a user: mypy checks its types, and it runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_type

from numpy.typing import NDArray

import gridsim

CONFIG: Mapping[str, Any] = {
    "simulation": {"tick_s": 60},
    "projects": [
        {
            "id": "HOME",
            "contract_threshold": 1.0,
            "ders": [{"id": "PV", "type": "solar", "nameplate_capacity": 5.0}],
        }
    ],
}


def test_types_are_those_that_a_user_expects() -> None:
    sim = assert_type(gridsim.simulate(CONFIG, start="2026-07-01"), gridsim.Simulator)
    day = assert_type(sim.run("2m", every="1m", columns=["current_output"]), gridsim.Readings)
    assert_type(day.columns["current_output"], NDArray[Any])
    assert_type(day.units, Mapping[str, str])
    assert_type(day.to_dicts(), list[dict[str, Any]])
    assert_type(sim.now, datetime)
    sent = assert_type(sim.send("PV", "limit_power", 50), gridsim.SentInstruction)
    # The state changes with `run`: its type must not be narrowed to a literal.
    assert sent.state == "pending"
    sim.run(ticks=1)
    assert sent.state == "accepted"
    assert_type(sim.call_event("peak", duration="1h"), gridsim.SentInstruction)
    assert_type(sim.truth, gridsim.Truth)
    assert_type(sim.truth.events, gridsim.ColumnTable)
    assert_type(sim.truth.readings, gridsim.Readings)
    assert_type(sim.copy(), gridsim.Simulator)
