"""The entries about faults, commands and their answers."""

from __future__ import annotations

from typing import Any

import pytest

from gridsim.api import (
    FAULTY,
    OFFLINE,
    Acknowledgement,
    ClearFault,
    Command,
    InjectFault,
    Target,
)
from gridsim.running.monitor.answers import Answers
from tests.unit.monitor.stepped import FAULTS, device


def test_faults_mark_devices_and_make_entries(make: Any) -> None:
    run = make(FAULTS)
    pv = device(run, "HOME_3_PV")
    states, online = [], []
    for _ in range(6):
        run.step()
        one = run.monitor.snapshot(fresh=True)
        states.append(int(one.devices.state[pv]))
        online.append(one.online)
    assert states == [0, 0, OFFLINE | FAULTY, OFFLINE | FAULTY, 0, 0]
    assert online == [6, 6, 5, 5, 6, 6]
    entries = [(e.state, e.subject, e.text) for e in run.monitor.snapshot().entries]
    assert entries == [
        ("begins", "cable", "fault cable begins on 1 DER"),
        ("begins", "slow", "fault slow begins on 1 DER"),
        ("ended", "cable", "fault cable ended on 1 DER"),
        ("ended", "slow", "fault slow ended on 1 DER"),
    ]


def test_commands_and_injections_are_answered_by_entries(make: Any) -> None:
    run = make()
    target = Target("HOME_1", "HOME_1_PV")
    settings = {"type": "offline", "duration_s": 60}
    run.step(1, (Command(target, "c-1", "disconnect"), InjectFault(target, "i-1", "cut", settings)))
    run.step(1, (Command(Target("HOME_9"), "c-2", "disconnect"),))
    found = [(e.number, e.kind, e.state, e.subject) for e in run.monitor.snapshot().entries]
    assert found == [
        (0, "fault", "injected", "cut"),
        (1, "command", "accepted", "c-1"),
        (2, "command", "accepted", "i-1"),
        (3, "fault", "ended", "cut"),
        (4, "command", "rejected", "c-2"),
        (5, "command", "completed", "i-1"),
    ]
    assert run.monitor.watch("HOME_1_PV").order == "disconnect (c-1) to HOME_1/HOME_1_PV"
    assert run.monitor.watch("HOME_2_PV").order == ""


def test_only_the_newest_200_entries_are_kept_and_all_are_numbered(make: Any) -> None:
    run = make()
    flood = [Command(Target("HOME_9"), f"c-{n}", "disconnect") for n in range(450)]
    run.step(1, flood)
    entries = run.monitor.snapshot().entries
    assert [entry.number for entry in entries] == list(range(250, 450))
    assert entries[0].subject == "c-250"


def test_a_posted_instruction_keeps_its_answers_among_any_number_of_others(make: Any) -> None:
    run = make()
    der = Target("HOME_1", "HOME_1_PV")
    mine = Command(der, "mine", "disconnect", source="web", duration_s=60)
    run.monitor.answers.follow(mine)
    assert run.monitor.answers.of(mine) == ()
    others = [Command(der, f"c-{n}", "connect", source="mqtt") for n in range(300)]
    # The same id for another target, or from another source, is another instruction.
    others.append(Command(Target("HOME_2"), "mine", "set_power", 1.0, source="web"))
    run.step(1, [mine, *others])
    assert all(
        one.subject != "mine" or "HOME_2" in one.text for one in run.monitor.snapshot().entries
    )
    answers = run.monitor.answers.of(mine)
    assert [one.status for one in answers] == ["accepted", "superseded"]
    assert answers[0].text == "disconnect (mine) to HOME_1/HOME_1_PV: accepted"
    assert (answers[0].time_ms, answers[0].reason) == (run.scenario.start_ms, "")
    assert answers[1].reason != ""
    assert run.monitor.answers.of(others[0]) is None


@pytest.mark.parametrize(("count", "kept"), [(2, True), (3, False)])
def test_the_answers_of_the_newest_instructions_are_kept(count: int, kept: bool) -> None:
    answers = Answers(limit=2)
    commands = [Command(Target("P"), f"c-{n}", "connect", source="web") for n in range(count)]
    for one in commands:
        answers.follow(one)
    answers.take(
        [Acknowledgement(one.target, one.id, "accepted", "", 0, 5, "web") for one in commands]
    )
    assert (answers.of(commands[0]) is not None) == kept
    assert [one.status for one in answers.of(commands[-1]) or ()] == ["accepted"]
    answers.forget(commands[-1])
    assert answers.of(commands[-1]) is None


def test_the_faults_that_are_not_over_are_known_however_much_happens(make: Any) -> None:
    run = make(FAULTS)
    der = Target("HOME_1", "HOME_1_PV")
    inject = InjectFault(der, "i-1", "dark", {"type": "offline"}, "web")
    flood = [Command(der, f"c-{n}", "connect", source="mqtt") for n in range(300)]
    run.step(1, [inject, *flood])
    run.step(1, flood[:250])
    assert [(one.id, one.since_ms) for one in run.monitor.snapshot().open_faults] == [
        ("dark", run.scenario.start_ms)
    ]
    run.now = 1.0
    run.step(2)
    assert [one.id for one in run.monitor.snapshot().open_faults] == ["dark", "cable", "slow"]
    run.now = 2.0
    run.step(2, [ClearFault(Target(""), "i-2", "dark", "web"), *flood])
    assert [one.id for one in run.monitor.snapshot().open_faults] == []
