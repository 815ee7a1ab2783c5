"""The spool: readings that outlive the process, in order, with an account over all lives."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger

from gridsim.api import Batch, Roster
from gridsim.contracts.batch import Labels
from gridsim.delivery import Counters, Runner
from gridsim.delivery.account import NOT_SENT, QUEUE_FULL, UNREADABLE, RemovedBatch
from gridsim.delivery.buffer import QueuedBatch
from gridsim.delivery.spool import SpoolAccount, SpoolBuffer, SpoolStore, read_account
from gridsim.delivery.spool.file import VERSION
from gridsim.errors import UsageError
from gridsim.testing import make_roster
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    POLICY,
    ROSTER,
    ROWS,
    Scripted,
    accept,
    balanced,
    batch_of,
    doubt_two,
    lose,
    lose_after_two,
)

Lives = Callable[..., tuple[Runner, Scripted]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "test.sqlite"


def opened(path: Path, roster: Roster = ROSTER, faults: str = "", **options: Any) -> SpoolBuffer:
    limits = {"limit_bytes": 10**8, "memory_bytes": 10**8, "known_faults": 0, **options}
    continues = bool(limits.pop("continues", False))
    store = SpoolStore(path, roster, faults, continues=continues)
    return SpoolBuffer("scripted", store, roster, **limits)


@pytest.fixture
def live(path: Path) -> Iterator[Lives]:
    """Starts a run that uses the spool; the test ends it with `ended`."""
    made: list[Runner] = []

    def start(transport: Scripted, **options: Any) -> tuple[Runner, Scripted]:
        policy = replace(POLICY, on_full=options.pop("on_full", "drop_oldest"))
        runner = Runner("scripted", transport, policy, buffer=opened(path, **options))
        made.append(runner)
        runner.start()
        return runner, transport

    yield start
    for runner in made:
        ended(runner)


@pytest.fixture
def log() -> Iterator[Callable[[], str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    yield lambda: "\n".join(lines)
    logger.remove(sink)


def numbered(tick: int, roster: Roster = ROSTER) -> Batch:
    return replace(batch_of(tick, roster), number=tick * len(roster))


def ended(runner: Runner) -> Counters:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()
    counters = runner.counters()
    assert balanced(counters)
    return counters


def sums_to_zero(account: SpoolAccount) -> bool:
    settled = account.delivered + account.dropped.total() + account.unconfirmed
    return account.accepted == settled + account.pending


def rows_of(ticks: range) -> list[tuple[int, int]]:
    return [(tick, device) for tick in ticks for device in range(ROWS)]


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


def add(buffer: SpoolBuffer, batch: Batch) -> list[RemovedBatch]:
    entry = QueuedBatch(batch, 0.0, batch.nbytes)
    return buffer.add(entry, drop_oldest=True, reason=QUEUE_FULL)


def waiting(buffer: SpoolBuffer) -> list[Batch]:
    found = []
    while buffer.prepare() == [] and (entry := buffer.begin()) is not None:
        found.append(entry.batch)
        buffer.settle(len(entry.batch), "delivered", "")
        buffer.commit()
    return found


def test_a_process_that_is_killed_at_any_byte_leaves_a_whole_spool(
    path: Path, tmp_path: Path
) -> None:
    buffer = opened(path)
    for tick in range(3):
        add(buffer, numbered(tick))
        assert buffer.sync(DEADLINE_S)
    buffer.prepare()
    assert buffer.begin() is not None
    buffer.settle(2, "delivered", "")
    assert buffer.sync(DEADLINE_S)
    # The files as a killed process leaves them, cut at many places.
    log = path.with_name(path.name + "-wal").read_bytes()
    seen = set()
    for size in {*range(0, len(log), len(log) // 12), len(log)}:
        copy = tmp_path / f"{size}.sqlite"
        shutil.copy(path, copy)
        copy.with_name(copy.name + "-wal").write_bytes(log[:size])
        account = read_account(copy)
        assert sums_to_zero(account)
        again = opened(copy)
        rows = sum(len(batch) for batch in waiting(again))
        again.close(DEADLINE_S)
        assert rows == account.pending
        seen.add((account.accepted, account.delivered, rows))
    assert seen == {(0, 0, 0), (5, 0, 5), (10, 0, 10), (15, 0, 15), (15, 2, 13)}
    buffer.close(DEADLINE_S)


def test_a_full_spool_drops_the_oldest_and_stays_within_its_bound(path: Path) -> None:
    limit = 200_000
    buffer = opened(path, limit_bytes=limit, memory_bytes=10**8)
    dropped = [one for tick in range(500) for one in add(buffer, numbered(tick))]
    assert buffer.sync(DEADLINE_S)
    assert buffer.nbytes <= limit
    assert [one.number for one in dropped] == [tick * ROWS for tick in range(len(dropped))]
    buffer.close(DEADLINE_S)
    account = read_account(path)
    assert account.dropped == {QUEUE_FULL: ROWS * len(dropped)}
    assert account.pending == ROWS * (500 - len(dropped))
    assert sums_to_zero(account)
    assert path.stat().st_size <= 1.05 * limit + 40_000


def test_a_second_run_is_refused_and_the_end_of_the_first_releases_the_file(path: Path) -> None:
    buffer = opened(path)
    with pytest.raises(UsageError, match=r"another run uses .*test\.sqlite"):
        opened(path)
    add(buffer, numbered(0))
    buffer.close(DEADLINE_S)
    again = opened(path)
    assert again.earlier == ROWS
    again.close(DEADLINE_S)


def changed(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(statement)
    connection.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (f"PRAGMA user_version = {VERSION + 1}", f"has the version {VERSION + 1} of the spool"),
        ("PRAGMA application_id = 7", "is not a spool"),
    ],
)
def test_a_foreign_or_newer_file_is_refused_and_not_changed(
    path: Path, change: str, why: str
) -> None:
    opened(path).close(DEADLINE_S)
    changed(path, change)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=why):
        opened(path)
    assert path.read_bytes() == before


def test_other_files_are_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"notes" * 1000)
    with pytest.raises(UsageError, match="exists and is not a spool"):
        opened(path)
    assert path.read_bytes() == b"notes" * 1000
    link = path.with_name("link")
    link.symlink_to(path)
    for other in (link, path.parent):
        with pytest.raises(UsageError, match="is not a regular file"):
            opened(other)
    with pytest.raises(UsageError, match="is not a folder"):
        opened(path / "below.sqlite")


def test_a_damaged_file_is_refused(path: Path) -> None:
    opened(path).close(DEADLINE_S)
    whole = bytearray(path.read_bytes())
    whole[4096:] = os.urandom(len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(UsageError, match="is damaged"):
        opened(path)


def test_a_damaged_reading_is_counted_and_the_rest_is_sent(live: Lives, path: Path) -> None:
    buffer = opened(path)
    for tick in range(3):
        add(buffer, numbered(tick))
    buffer.close(DEADLINE_S)
    changed(path, "UPDATE batches SET data = substr(data, 1, 100) WHERE number = 5")
    runner, transport = live(Scripted())
    assert runner.wait_settled(DEADLINE_S)
    counters = ended(runner)
    assert (counters.delivered, counters.dropped) == (2 * ROWS, {UNREADABLE: ROWS})
    assert {tick for tick, _ in transport.written} == {0, 2}
    assert read_account(path).dropped == {UNREADABLE: ROWS}


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


def opened_unseen(path: Path, batch: Batch) -> Batch:
    buffer = opened(path)
    try:
        return buffer.unseen(batch)
    finally:
        buffer.close(DEADLINE_S)


def test_a_full_disk_is_named_once_and_readings_wait_in_memory(
    path: Path, live: Lives, log: Callable[[], str]
) -> None:
    runner, _ = live(Scripted(lose), memory_bytes=3 * batch_of(0).nbytes)
    buffer = runner.buffer
    assert isinstance(buffer, SpoolBuffer)
    runner.offer(numbered(0))
    assert buffer.sync(DEADLINE_S)
    connection = buffer._store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for tick in range(1, 9):
        runner.offer(numbered(tick))
        buffer.sync(DEADLINE_S)
    counters = runner.counters()
    assert balanced(counters)
    assert counters.dropped == {QUEUE_FULL: ROWS * counters.dropped.total() // ROWS}
    assert 0 < counters.dropped.total() < 8 * ROWS
    assert log().count("database or disk is full; readings wait in memory") == 1
    connection.execute("PRAGMA max_page_count = 1000000")
    while not buffer.sync(0.1):
        pass
    assert "is written again" in log()
    pending = ended(runner).pending
    account = read_account(path)
    assert account.pending == pending == 9 * ROWS - account.dropped.total()
    assert sums_to_zero(account)


def test_a_deleted_file_is_named_once_and_its_readings_are_sent_from_memory(
    path: Path, live: Lives, log: Callable[[], str]
) -> None:
    runner, transport = live(Scripted(lose))
    buffer = runner.buffer
    runner.offer(numbered(0))
    assert buffer.sync(DEADLINE_S)
    path.unlink()
    runner.offer(numbered(1))
    buffer.sync(DEADLINE_S)
    runner.offer(numbered(2))
    transport.script = [accept]
    assert runner.wait_settled(DEADLINE_S)
    assert transport.written == rows_of(range(3))
    assert log().count("was deleted, moved or renamed; readings wait in memory") == 1
    assert not path.exists()
    counters = ended(runner)
    assert counters.delivered == 3 * ROWS


def test_what_waits_in_memory_at_the_end_is_dropped_and_counted(path: Path, live: Lives) -> None:
    runner, _ = live(Scripted(lose))
    path.unlink()
    runner.offer(numbered(0))
    runner.buffer.sync(DEADLINE_S)
    runner.close()
    runner.settle()
    counters = runner.counters()
    assert balanced(counters)
    assert (counters.pending, counters.dropped) == (0, {NOT_SENT: ROWS})
