"""The ticks that shards may run, and the ticks of instructions."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gridsim.api import Command, Instruction, Target
from gridsim.running.shards.grants import AHEAD_S, Grants, Sync
from gridsim.running.shards.messages import ShardSchedule

ASKED = Command(Target("H_1"), "c", "disconnect")


class Wall:
    """A wall clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def to_both(instruction: Instruction, tick: int) -> Mapping[int, Instruction]:
    return {0: instruction, 1: instruction}


def made(sync: Sync, speed: float, ticks: int | None = None) -> tuple[Grants, Wall]:
    wall = Wall()
    grants = Grants(sync, ticks, to_both, lambda *_: None, tick_s=10.0, wall=wall)
    grants.schedule = ShardSchedule(0, wall.now, speed)
    return grants, wall


def test_the_clock_allows_what_is_due_soon_even_for_a_late_shard() -> None:
    grants, wall = made("clock", 1.0)
    assert grants.allow(0) == 1
    wall.now += 10.0 - AHEAD_S - 0.01
    assert grants.allow(0) == 1
    wall.now += 0.02
    assert grants.allow(0) == 2
    wall.now += 50.0
    assert grants.allow(0) == 7


def test_lockstep_allows_the_next_tick_of_the_slowest() -> None:
    grants, wall = made("lockstep", 1.0)
    wall.now += 1000.0
    assert [grants.allow(slowest) for slowest in (0, 0, 1, 2)] == [1, 1, 2, 3]


def test_the_last_shard_of_a_tick_in_lockstep_does_not_wait() -> None:
    grants, _ = made("lockstep", 0.0)
    assert grants.allow(0) == 1
    assert not grants.wait(1, 0, 0.0)
    assert grants.wait(1, 1, 0.0)
    assert grants.until == 2


def test_no_shard_runs_far_ahead_at_speed_0() -> None:
    grants, wall = made("clock", 0.0)
    first = grants.allow(0)
    assert 0 < first < 100
    wall.now += 1.0
    grants.allow(1000)
    wall.now += 1.0
    assert grants.allow(2000) - 2000 == pytest.approx(1000 * 2 * AHEAD_S, rel=0.01)


def test_nothing_is_allowed_beyond_the_end_or_in_a_pause() -> None:
    grants, wall = made("clock", 1.0, ticks=3)
    wall.now += 1000.0
    assert grants.allow(0) == 3
    grants, wall = made("clock", 1.0)
    grants.schedule = None
    wall.now += 1000.0
    assert grants.allow(0) == 0


def test_an_instruction_is_for_the_first_tick_that_no_shard_may_run() -> None:
    grants, wall = made("clock", 1.0)
    assert grants.allow(0) == 1
    assert grants.post(ASKED)
    # A shard gets it with the permission for its tick, and again until it has answered.
    wall.now += 10.0
    until, given = grants.allowed(0, 0, 0)
    assert until == 2
    assert [(one.tick, one.number) for one in given] == [(1, 0)]
    assert grants.allowed(0, 0, 1) == (2, [])
    assert [one.instruction for one in grants.allowed(1, 0, 0)[1]] == [ASKED]
    assert grants.waiting(1) == 1
    assert grants.instructions(1) == {}
    assert grants.instructions(2) == {1: (ASKED,)}
    grants.forget([2, 1])
    assert grants.allowed(0, 0, 0) == (2, [])
    assert len(grants.allowed(1, 0, 0)[1]) == 1
