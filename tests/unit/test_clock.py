"""The clock, with the real APScheduler."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.running import clock as clock_module
from gridsim.running.clock import Clock, _NextWake

DEADLINE_S = 30.0


@given(st.floats(-1.0, 3600.0))
def test_a_fire_time_lies_always_in_the_future(until_next: float) -> None:
    # APScheduler asks until it does: one that is not would hang it.
    now = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    trigger = _NextWake(lambda: until_next)
    for previous in (None, now - timedelta(days=1000), now + timedelta(hours=1)):
        assert trigger.get_next_fire_time(previous, now) > now


def test_it_wakes_at_once_and_again_and_again() -> None:
    wakes, enough = [0], threading.Event()

    def wake() -> None:
        wakes[0] += 1
        if wakes[0] == 5:
            enough.set()

    clock = Clock(wake, lambda: 0.01)
    clock.start()
    assert enough.wait(DEADLINE_S)
    clock.stop()


def test_it_goes_on_when_the_wall_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch wakes APScheduler from a sleep through a due tick."""
    woken = threading.Event()
    # A wake-up that lies an hour ahead is what a clock set back by an hour leaves behind.
    clock = Clock(woken.set, lambda: 3600.0)
    clock.start()
    assert woken.wait(DEADLINE_S)
    woken.clear()
    clock.watch()
    assert not woken.wait(0.05)
    back = time.time() - 3600
    monkeypatch.setattr(clock_module, "_wall_shift", lambda: back - time.monotonic())
    clock.watch()
    assert woken.wait(DEADLINE_S)
    clock.stop()


def test_a_wake_up_that_hangs_does_not_hold_up_the_stop() -> None:
    entered, release = threading.Event(), threading.Event()

    def wake() -> None:
        entered.set()
        assert release.wait(DEADLINE_S)

    clock = Clock(wake, lambda: 0.01)
    clock.start()
    assert entered.wait(DEADLINE_S)
    clock.stop()
    assert not release.is_set()
    release.set()
