"""Spools that are killed, full, damaged, deleted or in use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gridsim.delivery.account import NOT_SENT, QUEUE_FULL, UNREADABLE
from gridsim.delivery.spool import SpoolBuffer, read_account
from gridsim.delivery.spool.file import VERSION
from gridsim.errors import UsageError
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    ROWS,
    Scripted,
    accept,
    balanced,
    batch_of,
    lose,
)
from tests.unit.delivery.spools import (
    Lives,
    add,
    changed,
    ended,
    numbered,
    opened,
    rows_of,
    sums_to_zero,
    waiting,
)


def test_a_process_that_is_killed_at_any_byte_leaves_a_whole_spool(
    path: Path, tmp_path: Path
) -> None:
    buffer = opened(path)
    for tick in range(3):
        add(buffer, numbered(tick))
        assert buffer.sync(DEADLINE_S)
    buffer.prepare()
    assert buffer.begin() is not None
    for rows in (2, ROWS - 2):
        buffer.settle(rows, "delivered", "")
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
    assert seen == {(0, 0, 0), (5, 0, 5), (10, 0, 10), (15, 0, 15), (15, 2, 13), (15, 5, 10)}
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


@pytest.mark.parametrize("change", ["charge = -1", "rows = x'00'", "roster = 99"])
def test_a_file_that_contradicts_itself_is_refused(path: Path, change: str) -> None:
    buffer = opened(path)
    add(buffer, numbered(0))
    buffer.close(DEADLINE_S)
    changed(path, f"UPDATE batches SET {change}")
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


def test_a_disk_that_does_not_answer_delays_neither_ticks_nor_the_transport_for_long(
    live: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridsim.delivery.spool.buffer._WRITE_S", 0.01)
    runner, transport = live(Scripted())
    buffer = runner.buffer
    assert isinstance(buffer, SpoolBuffer)
    with buffer._store._lock:
        for tick in range(3):
            runner.offer(numbered(tick))
        assert runner.wait_settled(DEADLINE_S)
        assert transport.written == rows_of(range(3))
    assert buffer.sync(DEADLINE_S)
    assert sums_to_zero(buffer._store.account())
    assert buffer._store.account().delivered == 3 * ROWS


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


def test_what_was_written_to_a_deleted_file_is_still_sent(path: Path) -> None:
    buffer = opened(path, memory_bytes=1)
    for tick in range(3):
        add(buffer, numbered(tick))
        assert buffer.sync(DEADLINE_S)
    path.unlink()
    add(buffer, numbered(3))
    assert not buffer.sync(DEADLINE_S)
    assert not buffer.keeps
    assert [batch.number for batch in waiting(buffer)] == [0, 5, 10, 15]
    buffer.close(DEADLINE_S)


def test_a_transport_that_returns_after_the_end_drops_nothing(path: Path) -> None:
    buffer = opened(path, memory_bytes=1)
    for tick in range(2):
        add(buffer, numbered(tick))
        assert buffer.sync(DEADLINE_S)
    buffer.prepare()
    assert buffer.begin() is not None
    assert buffer.close(DEADLINE_S) == []
    assert buffer.kept == [(0, ROWS), (ROWS, ROWS)]
    buffer.commit()
    assert buffer.prepare() == []
    assert buffer.begin() is None
    account = read_account(path)
    assert (account.pending, account.dropped) == (2 * ROWS, {})


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
