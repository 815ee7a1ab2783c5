"""The spool: readings that outlive the process, in order, with an account over all lives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Roster
from gridsim.contracts.batch import Labels
from gridsim.delivery import Runner
from gridsim.delivery.spool import read_account
from gridsim.errors import UsageError
from gridsim.testing import make_roster
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    POLICY,
    ROSTER,
    ROWS,
    Scripted,
    batch_of,
    doubt_two,
    lose,
    lose_after_two,
)
from tests.unit.delivery.spools import (
    Lives,
    add,
    ended,
    numbered,
    opened,
    opened_unseen,
    rows_of,
    sums_to_zero,
    waiting,
)


def test_the_next_run_sends_what_an_earlier_one_left_first_and_in_order(
    live: Lives, path: Path
) -> None:
    runner, _ = live(Scripted(lose_after_two, lose))
    for tick in range(4):
        runner.offer(numbered(tick))
    runner.wait_settled(0.0)
    while runner.counters().delivered < 2:
        runner.wait_settled(0.01)
    counters = ended(runner)
    assert (counters.delivered, counters.pending, counters.dropped.total()) == (2, 4 * ROWS - 2, 0)
    account = read_account(path)
    assert (account.accepted, account.delivered, account.pending) == (20, 2, 18)
    assert oct(path.stat().st_mode & 0o777) == "0o600"

    runner, transport = live(Scripted())
    assert runner.counters().earlier == 18
    runner.offer(numbered(0))
    assert runner.wait_settled(DEADLINE_S)
    counters = ended(runner)
    assert (counters.accepted, counters.delivered) == (18 + ROWS, 18 + ROWS)
    assert transport.written == [*rows_of(range(4))[2:], *rows_of(range(1))]
    account = read_account(path)
    assert (account.accepted, account.delivered, account.pending) == (25, 25, 0)


def test_fates_of_earlier_readings_do_not_reach_the_ledger_of_this_run(path: Path) -> None:
    buffer = opened(path)
    add(buffer, numbered(0))
    buffer.close(DEADLINE_S)
    seen: list[tuple[int, int, str]] = []

    class Noted:
        def settled(self, first: int, rows: int, fate: str, reason: str) -> None:
            seen.append((first, rows, fate))

        def again(self, first: int, rows: int) -> None:
            seen.append((first, rows, "again"))

        def kept(self, first: int, rows: int) -> None:
            seen.append((first, rows, "kept"))

    runner = Runner("scripted", Scripted(), POLICY, observer=Noted(), buffer=opened(path))
    runner.start()
    runner.offer(numbered(0))
    assert runner.wait_settled(DEADLINE_S)
    ended(runner)
    assert seen == [(0, ROWS, "delivered")]


def test_unconfirmed_readings_are_counted_over_the_lives(live: Lives, path: Path) -> None:
    runner, _ = live(Scripted(doubt_two, lose))
    runner.offer(numbered(0))
    while not runner.counters().unconfirmed:
        runner.wait_settled(0.01)
    ended(runner)
    account = read_account(path)
    assert (account.unconfirmed, account.pending) == (2, ROWS - 2)
    assert sums_to_zero(account)


def test_devices_are_found_again_in_another_order_and_number(path: Path) -> None:
    buffer = opened(path, make_roster((3, 2)))
    add(buffer, numbered(0))
    buffer.close(DEADLINE_S)
    old = make_roster((3, 2))
    # The same projects in the other order.
    new = Roster(
        der_id=[*old.der_id[3:], *old.der_id[:3]],
        project=np.array([0, 0, 1, 1, 1], np.intp),
        type=list(old.type[3:]) + list(old.type[:3]),
        nameplate_capacity=np.concatenate([old.nameplate_capacity[3:], old.nameplate_capacity[:3]]),
        project_id=list(reversed(old.project_id)),
        is_standalone=old.is_standalone[::-1].copy(),
        columns={"frequency_hz": "Hz"},
    )
    buffer = opened(path, new)
    (batch,) = waiting(buffer)
    assert [new.der_id[device] for device in batch.device] == list(old.der_id)
    assert batch.roster is new
    assert np.isnan(batch.extra["frequency_hz"]).all()
    assert not batch.device.flags.writeable
    buffer.close(DEADLINE_S)


def test_batches_of_several_rosters_keep_theirs(path: Path) -> None:
    """A reload makes another roster, and another transport for it."""
    other = make_roster((1,))
    buffer = opened(path, memory_bytes=1)
    for batch in (numbered(0), replace(batch_of(1, other), number=ROWS)):
        add(buffer, batch)
        assert buffer.sync(DEADLINE_S)
    assert [(batch.number, batch.roster) for batch in waiting(buffer)] == [(0, ROSTER), (5, other)]
    buffer.close(DEADLINE_S)


def test_readings_of_a_device_that_is_not_configured_are_an_error_that_names_it(
    path: Path,
) -> None:
    buffer = opened(path)
    add(buffer, numbered(0))
    buffer.close(DEADLINE_S)
    before = path.read_bytes()
    gone = ROSTER.der_id[3]
    with pytest.raises(UsageError, match=rf"5 readings of an earlier run .*: {gone} and 1 more"):
        opened(path, ROSTER.some(np.array([0])))
    assert read_account(path).pending == ROWS
    assert len(path.read_bytes()) == len(before)


def test_only_faults_that_both_runs_have_alter_a_message(path: Path) -> None:
    def altered(faults: str, known: int) -> list[int]:
        buffer = opened(path, faults=faults, known_faults=known)
        try:
            (batch,) = waiting(buffer)
            assert batch.labels is not None
            return [int(fault) for fault in batch.labels.altered]
        finally:
            buffer.close(DEADLINE_S)

    batch = numbered(0)
    for faults, known, expected in [
        ("same", 1, [-1, 0, -1, -1, -1]),
        ("other", 9, [-1, -1, -1, -1, -1]),
    ]:
        buffer = opened(path, faults="same")
        labels = replace(Labels.blank(batch), altered=np.array([-1, 0, 5, -1, -1], np.int32))
        add(buffer, replace(batch, labels=labels))
        buffer.close(DEADLINE_S)
        assert altered(faults, known) == expected


def test_a_resumed_run_does_not_accept_readings_twice(path: Path) -> None:
    buffer = opened(path)
    for tick in range(3):
        add(buffer, numbered(tick))
    buffer.close(DEADLINE_S)
    buffer = opened(path, continues=True)
    assert (buffer.accepted, buffer.last_tick) == (3 * ROWS, 2)
    assert buffer.held == [(0, ROWS), (ROWS, ROWS), (2 * ROWS, ROWS)]
    assert [len(buffer.unseen(numbered(tick))) for tick in (1, 2, 3)] == [0, 0, ROWS]
    part = replace(numbered(2), number=2 * ROWS + 3)
    assert len(buffer.unseen(part)) == 3
    # They keep their numbers, so that the fates in a ledger that goes on are theirs.
    assert [batch.number for batch in waiting(buffer)] == [0, 5, 10]
    buffer.close(DEADLINE_S)
    assert len(opened_unseen(path, numbered(0))) == ROWS
