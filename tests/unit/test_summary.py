"""The lines about a run's events, before it begins and when it is over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.contracts.results import Settlement, TickResult
from gridsim.running.board import Board
from gridsim.running.plan import Options, make_plan
from gridsim.testing import make_batch, make_roster
from gridsim.text.events import lasting
from gridsim.text.plan import plan_lines
from gridsim.text.status import event_line

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (1, "0.001 s"),
        (900_500, "900.5 s"),
        (30_000, "30 s"),
        (2_700_000, "45 min"),
        (5_400_000, "90 min"),
        (7_200_000, "2 h"),
        (604_800_000, "7 d"),
    ],
)
def test_durations_are_in_the_unit_of_which_they_are_whole(ms: int, words: str) -> None:
    assert lasting(ms) == words


def test_the_plan_names_what_will_happen() -> None:
    lines = list(plan_lines(make_plan(Options(config=ROOT / "configs/dr-event.toml"))))
    assert (
        "4 events: peak (16 projects), peak_broken (12 projects), "
        "peak_out_of_reach (8 projects), export_cap (16 projects)" in lines
    )
    lines = list(plan_lines(make_plan(Options(config=ROOT / "configs/chaos.toml"))))
    [faults] = [line for line in lines if " faults: " in line]
    assert faults.startswith("25 faults: ghost (1 DER), dead_zone (27 DERs), ")
    assert faults.endswith(" and 17 more")


def test_projects_are_counted_once_however_often_they_take_part() -> None:
    one = Settlement(
        event="peak",
        project_id="A",
        notice_ms=0,
        start_ms=0,
        settled_ms=0,
        end_ms=3_600_000,
        ending="completed",
        target_kw=2.0,
        compliance=1.0,
        dispatched_kwh=2.0,
        delivered_kwh=2.0,
        violations=(),
    )
    again = replace(one, event="peak#2", violations=((0, 1),))
    roster = make_roster((1, 1))
    board, batch = Board(roster), make_batch(roster)
    board.note(TickResult(0, batch, settlements=(one, replace(one, project_id="B"))))
    assert [event_line(event) for event in board.events()] == [
        "event peak: 4.00 of 4.00 kWh delivered by 2 projects, 0 in violation"
    ]
    opted_out = replace(again, project_id="B", ending="opted out")
    board.note(TickResult(1, batch, settlements=(again, opted_out)))
    assert [event_line(event) for event in board.events()] == [
        "event peak, 2 times: 6.00 of 6.00 kWh delivered by 2 projects in 3 turns, "
        "2 in violation (1 of them opted out), 1 opted out"
    ]
