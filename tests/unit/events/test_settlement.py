"""Settlement from the messages alone, and projects in violation."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from gridsim.config.resolve import Flags
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.unit.events.homes import (
    FLAT,
    WINDOW_MS,
    Run,
    Told,
    delivered_kwh,
    event,
    home,
    reductions,
    replace_framing,
    violations,
)

CONFIG = Path(__file__).parents[3] / "configs" / "dr-event.toml"
AFTERNOON_TICK_MS = 10_000


@pytest.fixture(scope="module")
def afternoon() -> tuple[Told, Any]:
    """The shipped configuration, two hours of it."""
    overrides = (f"simulation.tick_s={AFTERNOON_TICK_MS / 1000}",)
    plan = make_plan(Options(config=CONFIG, overrides=overrides, flags=Flags(speed=0.0)))
    simulation, told = Simulation(plan.configuration.scenario), Told()
    for _ in range(7_200_000 // AFTERNOON_TICK_MS):
        told.take(simulation.advance())
    told.take(simulation.finish())
    json_format = replace_framing(plan)
    for batch in told.batches:
        told.payloads += json_format.encode(batch).bodies
    return told, plan.configuration.scenario


def test_whoever_has_the_messages_can_settle_the_events(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    series, thresholds = reductions(told.payloads)
    assert len(told.settlements) == 16 + 12 + 8 + 16
    some, none = 0, 0
    for own in told.settlements:
        project = own.project_id
        readings = series[project]
        exact = delivered_kwh(readings, own, AFTERNOON_TICK_MS)
        assert own.delivered_kwh == pytest.approx(float(exact), abs=1e-9), own
        expected = violations(readings, own, thresholds[project], AFTERNOON_TICK_MS)
        if own.event == "export_cap":  # it calls for no reduction
            expected = []
        assert list(own.violations) == expected, own
        some += bool(expected)
        none += not expected
    assert some >= 10
    assert none >= 10


def test_compliance_decides_who_is_in_violation(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    by_event = defaultdict(list)
    for own in told.settlements:
        by_event[own.event].append(own)
    for own in by_event["peak"]:
        assert own.ending == "completed"
        assert 1.1 <= own.compliance <= 1.3
        assert own.violations == ()
    out = [own for own in by_event["peak_broken"] if own.ending == "opted out"]
    assert 0 < len(out) < 6
    assert all(own.dispatched_kwh == 0.0 for own in out)
    for own in by_event["peak_broken"]:
        assert 0.7 <= own.compliance <= 0.9
        if own not in out:
            # From the first reading that is judged to the last, without a break.
            [(first, last)] = own.violations
            assert 0 <= first - (own.settled_ms + WINDOW_MS) < AFTERNOON_TICK_MS
            assert last == own.end_ms
            assert own.delivered_kwh == pytest.approx(own.dispatched_kwh, rel=0.01)


def test_what_physics_cannot_deliver_is_short(afternoon: tuple[Told, Any]) -> None:
    told, _ = afternoon
    for own in told.settlements:
        if own.event == "peak_out_of_reach":
            assert own.delivered_kwh < 0.5 * own.dispatched_kwh
            assert own.violations


@pytest.mark.parametrize(
    ("settings", "ticks", "ending", "lasts_s"),
    [
        # Ends: by itself between two ticks, with the run's last tick, by a cancellation between
        # two ticks, and by the end of the run.
        ({"duration_s": 437}, 60, "completed", 437),
        ({"duration_s": 540}, 10, "completed", 540),
        ({"duration_s": 1200, "cancel_after_s": 411}, 60, "cancelled", 411),
        ({"duration_s": 1200}, 10, "interrupted", 540),
    ],
)
def test_a_violation_that_lasts_ends_with_the_event(
    run: Run, settings: dict[str, Any], ticks: int, ending: str, lasts_s: int
) -> None:
    idle = home("A", battery='strategy = "idle"', load=FLAT)
    told = run(idle + event(compliance=0.0, **settings), ticks=ticks, tick_s=60.0, finish=True)
    [own] = told.settlements
    assert own.ending == ending
    assert own.violations == ((own.start_ms + 300_000, own.end_ms),)
    assert own.end_ms - own.start_ms == lasts_s * 1000
