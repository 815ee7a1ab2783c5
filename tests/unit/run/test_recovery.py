"""The place of a resumed run in real time, and what is sent of the ticks that it catches up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gridsim.execution.folder import Kept
from gridsim.execution.progress import RunProgress
from gridsim.ledger import KILLED, Rewound
from gridsim.running.recovery import SKIPPED, Recovery, ResumeSchedule, SettledFrontier, schedule
from gridsim.simulation.step import Simulation
from tests.fixtures.lives import HEAD, SMALL, Lives


def kept(
    tick: int, progress: RunProgress, readings: int = 0, gaps: Sequence[tuple[int, int]] = ()
) -> Kept:
    facts = SimpleNamespace(readings=readings, positions={})
    checkpoint: Any = SimpleNamespace(tick=tick, facts=facts)
    return Kept(checkpoint, {}, progress, gaps=gaps)


@pytest.mark.parametrize(
    ("due_s", "speed", "ticks", "expected"),
    [
        (0.0, 1.0, None, (21, 10.0)),
        (-0.5, 1.0, None, (20, 9.5)),
        (-1.5, 1.0, None, (20, None)),
        (99.9, 1.0, None, (120, 109.9)),
        (99.9, 1.0, 50, (50, 109.9)),
        (99.9, 1.0, 5, (20, 109.9)),
        (99.9, 2.0, None, (20, None)),
        (99.9, 0.0, None, (20, None)),
    ],
)
def test_a_resumed_run_is_where_it_would_be(
    monkeypatch: pytest.MonkeyPatch,
    due_s: float,
    speed: float,
    ticks: int | None,
    expected: tuple[int, float | None],
) -> None:
    """`due_s` ago tick 20 was due; the checkpoint is of tick 10, ten seconds before."""
    monkeypatch.setattr("gridsim.running.recovery.time", SimpleNamespace(time=lambda: 1e6))
    progress = RunProgress(20, int(1e9 - 1000 * due_s), 1.0, 200, [200])
    found = schedule(kept(10, progress), speed, 1.0, ticks)
    assert found.present == expected[0]
    assert found.behind_s == pytest.approx(expected[1])
    assert schedule(kept(10, replace(progress, due_ms=0)), 1.0, 1.0, None) == ResumeSchedule(20)


class Noted:
    """The fates that an observer was given."""

    def __init__(self) -> None:
        self.settled_readings: list[tuple[Any, ...]] = []

    def settled(self, *fate: Any) -> None:
        self.settled_readings.append(fate)

    def again(self, first: int, rows: int) -> None:
        raise AssertionError

    def kept(self, first: int, rows: int) -> None:
        raise AssertionError


def test_a_gap_is_counted_and_in_the_ledger(tmp_path: Path) -> None:
    """Ticks 2 and 3 were handed on, the first of them settled; 4 and 5 were missed."""
    lives = Lives(tmp_path, HEAD + SMALL)
    plan = lives.plan(lives.first)
    simulation = Simulation(plan.configuration.scenario)
    results = [simulation.advance() for _ in range(7)]
    found = Recovery(kept(2, RunProgress(4, 1, 1.0, 4, [3]), 2), "skip", 6)
    noted = Noted()
    found.observers = [noted]
    sent = [len(found.batch_for(0, one)) for one in results[2:]]
    for one in results[2:6]:
        found.note(one)
    assert sent == [0, 1, 0, 0, 1]
    assert noted.settled_readings == [(4, 1, "dropped", SKIPPED), (5, 1, "dropped", SKIPPED)]
    status = found.status()
    assert (found.missing, status.again, status.missed, status.caught_up) == ((4, 5), 2, 2, True)


def test_a_fate_that_was_lost_is_settled_when_its_tick_comes_again(tmp_path: Path) -> None:
    """Tick 2 was missed by an earlier life, and tick 3 was sent by it."""
    lives = Lives(tmp_path, HEAD + SMALL)
    simulation = Simulation(lives.plan(lives.first).configuration.scenario)
    results = [simulation.advance() for _ in range(4)]
    found = Recovery(kept(2, RunProgress(4, 0, 1.0, 4, [4]), 2, [(1, 2)]), "skip", 4)
    noted = Noted()
    found.observers, found.rewound = (
        [noted],
        Rewound(np.empty(0, np.int64), 0, [[(2, 4)]]),
    )
    assert [len(found.batch_for(0, one)) for one in results[2:]] == [0, 0]
    assert noted.settled_readings == [(2, 1, "dropped", SKIPPED), (3, 1, "unconfirmed", KILLED)]


def test_an_earlier_gap_stays_a_gap_where_nothing_was_settled(tmp_path: Path) -> None:
    """The spool did not know yet that tick 2 was skipped, and tick 3 sent."""
    lives = Lives(tmp_path, HEAD + SMALL)
    simulation = Simulation(lives.plan(lives.first).configuration.scenario)
    results = [simulation.advance() for _ in range(4)]
    found = Recovery(kept(1, RunProgress(4, 0, 1.0, 4, [2]), 1, [(2, 2)]), "skip", 4)
    noted = Noted()
    found.observers = [noted]
    assert [len(found.batch_for(0, one)) for one in results[1:]] == [0, 0, 1]
    assert noted.settled_readings == [(2, 1, "dropped", SKIPPED)]


def test_the_frontier_waits_for_the_readings_between() -> None:
    noted: list[tuple[int, int]] = []
    frontier = SettledFrontier(1, 5, lambda transport, number: noted.append((transport, number)))
    frontier.settled(9, 2, "dropped", "queue full")
    frontier.settled(5, 1, "delivered", "")
    frontier.settled(6, 3, "unconfirmed", "")
    frontier.settled(3, 1, "delivered", "")
    assert noted == [(1, 6), (1, 11), (1, 11)]
