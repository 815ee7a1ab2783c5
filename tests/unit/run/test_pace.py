"""A run's pause and its speed, which change while it runs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.unit.run.homes import DEADLINE_S, Make, lines, on_full


def test_the_default_rule_for_a_full_queue_follows_the_speed(make: Make) -> None:
    with make(manual=False, speed=1000.0) as run:
        assert on_full(run) == ["block"]
        assert run.status().wake_s == 0.05
        run.set_speed(0)
        assert on_full(run) == ["block"]
        assert run.status().wake_s == 0.0
        run.set_speed(1)
        assert on_full(run) == ["drop_oldest"]
        assert run.status().wake_s == 1.0
        run.set_speed(1.001)
        assert on_full(run) == ["block"]
        run.set_speed(0.5)
        assert on_full(run) == ["drop_oldest"]
    with make() as run:
        assert on_full(run) == ["block"]


def test_a_rule_that_the_configuration_states_stays(make: Make) -> None:
    with make(manual=False, speed=1000.0, more='on_full = "drop_newest"\n') as run:
        run.set_speed(0)
        assert on_full(run) == ["drop_newest"]
    with make(manual=False, more='on_full = "block"\n') as run:
        with pytest.raises(ValueError, match="transport file has on_full = 'block'"):
            run.set_speed(1)
        assert run.status().speed == 0


@pytest.mark.parametrize("speed", [-1.0, 0.0009, 1e6 + 1, float("nan"), float("inf")])
def test_a_speed_that_no_run_has_is_refused(make: Make, speed: float) -> None:
    with make() as run, pytest.raises(ValueError, match=r"speed must be 0, or from 0\.001"):
        run.set_speed(speed)


def test_a_run_goes_on_as_fast_as_it_can_and_ends(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False, speed=1.0, ticks="500s")
    run.subscribe(lambda result: seen.set())
    with run:
        assert seen.wait(DEADLINE_S)
        run.set_speed(0)
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 500
    assert len(lines(tmp_path)) == 1000


def test_a_paused_run_stands_still_and_keeps_its_connections(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False, ticks="600s")
    run.subscribe(lambda result: seen.set() if result.tick >= 10 else None)
    with run:
        assert seen.wait(DEADLINE_S)
        run.pause()
        status = run.status()
        if status.tick < 600:
            assert status.state == "paused"
            assert not run.wait(0.05)
        assert run.status().tick == status.tick
        assert run.status().transports[0].state == "up"
        assert run.status().transports[0].target == run.plan.transports[0].transport.describe()
        run.resume()
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 600
    assert len(lines(tmp_path)) == 1200


def test_it_goes_on_after_every_pause_at_every_speed(make: Make) -> None:
    seen = threading.Event()
    run = make(manual=False, ticks="600s")
    run.subscribe(lambda result: seen.set())
    with run:
        assert seen.wait(DEADLINE_S)
        for speed in (0, 1e6, 0, 1000, 0):
            run.pause()
            run.resume()
            run.set_speed(speed)
        run.pause()
        run.set_speed(1)
        run.set_speed(0)
        run.resume()
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 600
