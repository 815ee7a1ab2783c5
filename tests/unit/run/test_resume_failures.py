"""The disk of the checkpoints fails: it is named once, the run goes on, and can be resumed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from gridsim.errors import UsageError
from gridsim.running.run import Run
from tests.fixtures.lives import HEAD, SMALL, Lives, digests, lines, query

TICKS = 6
SPOOL = HEAD + '[transports.spool]\npath = "spool.sqlite"\n' + SMALL


@pytest.fixture
def logged() -> Iterator[list[str]]:
    found: list[str] = []
    sink = logger.add(lambda message: found.append(message.record["message"]), level="WARNING")
    yield found
    logger.remove(sink)


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path, HEAD + SMALL)


def test_a_checkpoint_that_cannot_be_written_is_named_once(lives: Lives, logged: list[str]) -> None:
    with Run(lives.plan(lives.first), clock="manual") as run:
        run.advance(2)
        assert run.save_checkpoint()
        for tick in (3, 4):
            # The system refuses to rename the new file to it.
            (lives.first / "ck" / f"{tick:012}.state").mkdir()
            run.advance(1)
            assert not run.save_checkpoint()
        assert logged == [
            f"checkpoints cannot be written to {lives.first / 'ck'}: Is a directory. The run "
            "continues; `--resume` would continue from tick 2"
        ]
        status = run.status().checkpoint
        assert status is not None
        assert (status.tick, status.error) == (2, "Is a directory")
        run.confirm()
        shutil.copytree(lives.first, lives.killed(4))
        run.advance(1)
        assert run.save_checkpoint()
        assert run.status().checkpoint.error == ""  # type: ignore[union-attr]
        run.advance(1)
    lives.resume(4, TICKS)
    assert digests(lives.killed(4)) == digests(lives.first)


def test_a_folder_that_was_deleted_is_created_again(lives: Lives) -> None:
    def delete(run: Run) -> None:
        shutil.rmtree(lives.first / "ck")
        assert run.save_checkpoint()
        run.confirm()

    lives.live(TICKS, checkpoints=(2,), kills=(3,), before_kill=delete)
    lives.resume(3, TICKS)
    assert digests(lives.killed(3)) == digests(lives.first)


def test_a_folder_that_cannot_be_created_ends_the_run_before_it_begins(lives: Lives) -> None:
    plan = lives.plan(lives.first)
    (lives.first / "ck").touch()
    run = Run(plan, clock="manual")
    with pytest.raises(UsageError, match=r"\[checkpoint\] path: error: .*ck: File exists"):
        run.start()
    run.stop()


def test_a_checkpoint_waits_for_the_transports(tmp_path: Path) -> None:
    """Readings that wait in memory at a kill are made again from the checkpoint before them."""
    lives = Lives(tmp_path, HEAD + SMALL)
    out = lives.first / "out.jsonl"
    with Run(lives.plan(lives.first), clock="manual") as run:
        run.advance(2)
        run.confirm()
        out.rename(lives.first / "kept.jsonl")
        out.mkdir()
        run.advance(1)
        assert not run.save_checkpoint(timeout_s=0.1)
        run.advance(1)
        # The newer one replaces the one that waits.
        assert not run.save_checkpoint(timeout_s=0.1)
        run._workers.ledger.sync(10)  # type: ignore[union-attr]
        shutil.copytree(lives.first, lives.killed(4))
        out.rmdir()
        (lives.first / "kept.jsonl").rename(out)
    killed = lives.killed(4)
    (killed / "out.jsonl").rmdir()
    (killed / "kept.jsonl").rename(killed / "out.jsonl")
    run = lives.resume(4, 4)
    resumed = run.status().resumed
    assert resumed is not None
    assert (resumed.tick, resumed.lost) == (0, 0)
    # The first life ended in time for two of them.
    assert lines(killed)[:2] == lines(lives.first)
    assert len(set(lines(killed))) == len(lines(killed)) == 4


def test_catching_up_does_not_fill_the_queue(tmp_path: Path) -> None:
    """The ticks come as fast as they can be stepped, and the queue has room for one batch."""
    queue = 'on_full = "drop_oldest"\nqueue_mb = 0.0001\n'
    lives = Lives(tmp_path, HEAD.replace("now", "2026-06-21") + queue + SMALL)
    with Run(lives.plan(lives.first), clock="manual") as run:
        for _ in range(40):
            run.advance(1)
            run.confirm()
        shutil.copytree(lives.first, lives.killed(40))
    republish = 'checkpoint.on_recovery="republish"'
    with lives.resumed(lives.killed(40), republish) as run:
        run.advance(40)
    (transport,) = run.status().transports
    assert (transport.delivered, dict(transport.dropped)) == (40, {})


def test_what_a_spool_has_accepted_is_neither_lost_nor_sent_twice(tmp_path: Path) -> None:
    """Killed with nothing sent, and resumed: the far end gets every reading once, in order."""
    lives = Lives(tmp_path, SPOOL)
    out = lives.first / "out.jsonl"

    def hold(run: Run) -> None:
        for runner in run._workers.runners:
            assert runner.buffer.sync(10)
        assert run._workers.ledger is not None
        run._workers.ledger.sync(10)

    with Run(lives.plan(lives.first), clock="manual") as run:
        run.advance(2)
        run.confirm()
        # From now on nothing can be written: the path is a folder.
        out.rename(lives.first / "kept.jsonl")
        out.mkdir()
        run.advance(1)
        assert run.save_checkpoint()
        run.advance(1)
        hold(run)
        shutil.copytree(lives.first, lives.killed(4))
        out.rmdir()
    killed = lives.killed(4)
    (killed / "out.jsonl").rmdir()
    (killed / "kept.jsonl").rename(killed / "out.jsonl")
    run = lives.resume(4, TICKS)
    sent = [line.split(b'"timestamp":')[1][:26] for line in lines(killed)]
    assert sent == sorted(set(sent))
    assert len(sent) == TICKS
    assert query(killed, "SELECT sum(rows) FROM fates WHERE fate = 'delivered'") == [(TICKS,)]
    assert run.status().resumed.lost == 0  # type: ignore[union-attr]


def test_a_ledger_that_is_behind_is_named(lives: Lives, logged: list[str]) -> None:
    with Run(lives.plan(lives.first), clock="manual") as run:
        assert run._life._checkpoints is not None
        began, asked, queued, over = (threading.Event() for _ in range(4))
        asked_for: list[int] = []

        def committed(tick: int, limit_s: float) -> bool:
            if asked_for:
                asked.set()
                over.wait(30)
            asked_for.append(tick)
            began.set()
            queued.wait(30)
            return False

        run._life._checkpoints._committed = committed
        run.advance(1)
        # The second one waits when the first is given up. Before that, it would replace it.
        assert run._life._checkpoints.take(1)
        assert began.wait(30)
        assert run._life._checkpoints.take(1)
        queued.set()
        assert asked.wait(30)
        status = run.status().checkpoint
        assert status is not None
        assert status.error == "the ledger has not written the readings before it"
        over.set()
    assert len(logged) == 1
