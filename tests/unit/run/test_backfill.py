"""A run that makes up for the past, and goes on live: one state, and no seam."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import rfc3339
from gridsim.config.resolve import Flags
from gridsim.contracts.results import TickResult
from gridsim.delivery import Runner
from gridsim.running.backfill import Settling
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.run import Run
from gridsim.text.backfill import backfill_end_lines, backfill_text
from gridsim.text.plan import plan_lines
from gridsim.text.status import live_line
from tests.fixtures.lives import HEAD, SMALL, Lives
from tests.unit.delivery.conftest import started
from tests.unit.delivery.scripted import DEADLINE_S, Scripted, batch_of, finish, stall
from tests.unit.engine.fleets import Hand
from tests.unit.run.homes import on_full

__all__ = ["started"]


def ago(seconds: float) -> str:
    return rfc3339(round(1000 * (time.time() - seconds)))


def plan(folder: Path, text: str, **flags: Any) -> Plan:
    folder.mkdir(exist_ok=True)
    path = folder / "fleet.toml"
    path.write_text(text)
    return make_plan(Options(config=path, flags=Flags(**flags)))


def test_the_bytes_are_those_of_a_run_as_fast_as_possible(tmp_path: Path) -> None:
    text = HEAD.replace("tick_s = 60.0", "tick_s = 0.1") + SMALL
    start = ago(6.0)
    run = Run(plan(tmp_path / "live", text, start=start, until="now", speed=1.0))
    seen = dict[int, tuple[float, list[str]]]()
    live = threading.Event()

    def note(result: TickResult) -> None:
        part, speed = run.status().backfill, run.status().speed
        seen[result.tick] = speed, on_full(run)
        if part is not None and part.ended_at is not None and result.tick >= part.ended_at:
            live.set()

    run.subscribe(note)
    with run:
        assert live.wait(DEADLINE_S)
        ticks = run.status().tick
    status = run.status()
    assert status.backfill is not None
    assert status.backfill.ended_at is not None
    assert (status.backfill.first, status.backfill.left_s) == (0, None)
    assert 60 < status.backfill.ended_at < ticks <= status.tick
    # No tick came before its own time.
    assert time.time() > run.plan.configuration.start_ms / 1000 + 0.1 * (status.tick - 1)
    assert seen[0] == (0.0, ["block"])
    assert seen[max(seen)] == (1.0, ["drop_oldest"])
    [file] = status.transports
    assert file.delivered == status.tick
    free = text.replace("speed = 0", f"speed = 0\nduration_s = {status.tick / 10}")
    with Run(plan(tmp_path / "free", free, start=start)) as other:
        assert other.wait(DEADLINE_S)
    made = (tmp_path / "live" / "out.jsonl").read_bytes()
    assert made == (tmp_path / "free" / "out.jsonl").read_bytes()


def test_a_status_says_how_far_it_is(tmp_path: Path) -> None:
    run = Run(plan(tmp_path, HEAD + SMALL, start=ago(6e6), until="now", speed=1.0))
    assert on_full(run) == []
    lines = "\n".join(plan_lines(run.plan))
    found = re.search(r"backfill to now: ([0-9,]+) ticks, up to ([0-9,]+) readings", lines)
    assert found is not None
    ticks, readings = (int(number.replace(",", "")) for number in found.groups())
    assert ticks == readings == pytest.approx(1e5, abs=2)
    with run:
        status = run.status()
        assert status.is_backfilling
        assert (status.speed, status.wake_s, status.late_ticks) == (0.0, 0.0, 0)
        assert on_full(run) == ["block"]
        assert status.backfill is not None
        assert status.backfill.due == pytest.approx(1e5, abs=2)
        assert backfill_text(status).startswith("backfill ")
        assert "backfill" in live_line(status)
        assert not list(backfill_end_lines(status))
        run.set_speed(1.0)
        status = run.status()
        assert not status.is_backfilling
        assert (status.speed, status.wake_s) == (1.0, 60.0)
        assert on_full(run) == ["drop_oldest"]
        assert backfill_text(status) == ""
        assert "the run goes on with tick" in next(iter(backfill_end_lines(status)))


def test_the_manual_clock_has_no_present(tmp_path: Path) -> None:
    made = plan(tmp_path, HEAD + SMALL, start=ago(600), until="now", speed=1.0)
    with Run(made, clock="manual") as run:
        run.advance(30)
        assert (run.status().tick, run.status().backfill) == (30, None)


@pytest.mark.parametrize("policy", ["skip", "republish"])
def test_a_run_that_was_killed_in_it_goes_on_with_it(tmp_path: Path, policy: str) -> None:
    text = HEAD.replace("speed = 0", 'duration_s = 1200\nuntil = "now"\nspeed = 1')
    text = text.replace('"now"\n[weather]', f'"{ago(1170)}"\n[weather]')
    text = text.replace('path = "ck"', f'path = "ck"\non_recovery = "{policy}"')
    lives = Lives(tmp_path, text + SMALL)
    lives.live(20, checkpoints=(6,), kills=(9,))
    folder = lives.killed(9)
    with Run(lives.plan(folder, resume=True)) as run:
        assert run.wait(DEADLINE_S)
    status = run.status()
    assert status.backfill is not None
    assert (status.tick, status.backfill.first, status.late_ticks) == (20, 6, 0)
    assert status.resumed is not None
    assert status.resumed.missed == 0
    wanted = (lives.first / "out.jsonl").read_text().splitlines()
    again = 3 if policy == "republish" else 0
    made = (folder / "out.jsonl").read_text().splitlines()
    assert made == wanted[:9] + wanted[9 - again :]


def test_it_waits_for_what_the_transports_had_at_the_present(started: Any) -> None:
    runner: Runner
    transport: Scripted
    runner, transport = started(Scripted(stall))
    hand = Hand()
    runner.offer(batch_of(0))
    settling = Settling(lambda: [runner], hand)
    assert transport.entered.wait(DEADLINE_S)
    assert not settling.is_done()
    hand.now += 5.0
    transport.release.set()
    assert runner.wait_settled(DEADLINE_S)
    # Much has become due meanwhile: a second round is for that.
    transport.release.clear()
    runner.offer(batch_of(1))
    assert not settling.is_done()
    assert not settling.is_done()
    hand.now += 0.5
    transport.release.set()
    assert runner.wait_settled(DEADLINE_S)
    transport.release.clear()
    runner.offer(batch_of(2))
    assert settling.is_done()
    assert Settling(list).is_done()


def test_a_transport_that_is_never_fast_does_not_hold_it_back_for_ever() -> None:
    hand = Hand()
    settling = Settling(list, hand)
    for _ in range(19):
        hand.now += 1.0
        assert not settling.is_done()
    hand.now += 1.0
    assert settling.is_done()


def test_durations_of_the_backfill_are_not_those_of_the_live_part(started: Any) -> None:
    runner: Runner
    runner, transport = started(Scripted(stall))
    runner.offer(replace(batch_of(0), number=0))
    assert transport.entered.wait(DEADLINE_S)
    runner.set_pace("drop_oldest", 1e-9, timed_from=5)
    transport.release.set()
    assert runner.wait_settled(DEADLINE_S)
    assert (runner.timing.late_batches, len(runner.timing.settled)) == (0, 0)
    runner.offer(replace(batch_of(1), number=5))
    assert runner.wait_settled(DEADLINE_S)
    counters = finish(runner)
    assert counters.delivered == 10
    assert (runner.timing.late_batches, len(runner.timing.settled)) == (1, 1)
