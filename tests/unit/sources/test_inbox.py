"""The inbox, its limits, and the floods that share it."""

from __future__ import annotations

import threading

from loguru import logger

from gridsim.api import (
    Acknowledgement,
    Command,
    Target,
    Unreadable,
)
from gridsim.running.inbox import CommandInbox
from gridsim.sources import SourceCounters, SourceWorker
from gridsim.testing import START_MS
from tests.unit.sources.wires import DEADLINE_S, DER, Wire, off, served, told, until


def test_an_inbox_keeps_order_and_its_bound() -> None:
    inbox = CommandInbox(limit=2)
    requests = [off(str(n)) for n in range(3)]
    assert [inbox.post(request) for request in requests] == [True, True, False]
    assert inbox.drain() == tuple(requests[:2])
    assert inbox.drain() == ()
    assert inbox.post(requests[2])


def test_an_inbox_takes_requests_from_many_threads() -> None:
    inbox = CommandInbox(limit=1000)
    accepted: list[bool] = []

    def post() -> None:
        accepted.extend([inbox.post(off("c")) for _ in range(400)])

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accepted.count(True) == len(inbox.drain()) == 1000


def test_a_full_inbox_is_answered_at_once() -> None:
    wire, inbox = Wire(), CommandInbox(limit=1)
    wire.incoming = [off("c-8"), off("c-9"), Unreadable(DER, "", "\\xff", "is not UTF-8")]
    with served(wire, inbox):
        until(lambda: len(wire.told) == 2)
    assert [(one.id, one.status, one.tick) for one in wire.told] == [
        ("c-9", "rejected", 7),
        ("", "rejected", 7),
    ]
    assert "too many commands are waiting" in wire.told[0].reason


def test_an_instruction_counts_until_its_answer_is_handed_over() -> None:
    inbox, wire = CommandInbox(), Wire()
    worker = SourceWorker("wire", wire, inbox, lambda: (7, START_MS), limit=3)
    assert [worker.post(off("c")) for _ in range(3)] == [True] * 3
    assert not worker.post(off("fourth"))
    inbox.drain()  # the tick has them now, but has answered none
    assert not worker.post(off("fifth"))
    worker.offer([told(id) for id in "abc"])  # answered, but not handed over
    assert not worker.post(off("sixth"))
    assert worker.counters() == SourceCounters(posted=3, refused=3, waiting=6)
    worker.start()
    until(lambda: worker.counters().acknowledged == 6)
    assert [one.id for one in wire.told] == ["fourth", "fifth", "a", "b", "c", "sixth"]
    assert worker.post(off("c"))
    worker.offer([Acknowledgement(DER, "a", "completed", "", 9, START_MS, "wire")])
    until(lambda: worker.counters().acknowledged == 7)
    # A later answer to the same instruction frees no further room.
    assert worker.counters() == SourceCounters(
        posted=4, refused=3, unanswered=1, acknowledged=7, reconnects=0
    )
    worker.close()
    assert worker.wait(DEADLINE_S)


def test_one_source_that_reads_nothing_does_not_shut_out_another() -> None:
    inbox = CommandInbox()
    deaf = SourceWorker("deaf", Wire(), inbox, lambda: (7, START_MS), limit=2)
    other = SourceWorker("other", Wire(), inbox, lambda: (7, START_MS), limit=2)
    assert [deaf.post(off("c")) for _ in range(3)] == [True, True, False]
    inbox.drain()
    assert not deaf.post(off("c"))
    assert other.post(off("c"))


def test_refusals_that_nobody_reads_are_bounded_and_counted() -> None:
    inbox = CommandInbox()
    lines: list[str] = []
    worker = SourceWorker("wire", Wire(), inbox, lambda: (7, START_MS), limit=2)
    handler = logger.add(lines.append, format="{message}")
    try:
        posted = [worker.post(off("c")) for _ in range(10)]
    finally:
        logger.remove(handler)
    assert posted == [True] * 2 + [False] * 8
    assert worker.counters() == SourceCounters(
        posted=2, refused=8, unanswerable=4, unanswered=2, waiting=4
    )
    assert lines == [
        "source wire: instructions refused without an answer, 1 in total: "
        "too many commands are waiting: send fewer, or later\n"
    ]


def test_a_flood_to_one_target_leaves_room_for_another() -> None:
    worker = SourceWorker(
        "wire", Wire(), CommandInbox(), lambda: (7, START_MS), limit=10, limit_each=2
    )
    assert [worker.post(off(f"c-{n}")) for n in range(7)] == [True] * 2 + [False] * 5
    other = Command(Target("PRJ_9"), "d-1", "disconnect")
    assert worker.post(other)
    assert worker.counters() == SourceCounters(
        posted=3, refused=5, unanswerable=3, unanswered=3, waiting=2
    )
    worker.lost(4)
    assert worker.counters().lost == 4


def test_floods_to_many_targets_do_not_shut_out_another() -> None:
    worker = SourceWorker("wire", Wire(), CommandInbox(), lambda: (7, START_MS), limit=4)
    targets = [Target("PRJ_0", f"DER_{n}") for n in range(2)]
    flood = [Command(targets[n % 2], f"c{n}", "disconnect") for n in range(10)]
    assert [worker.post(one) for one in flood] == [True] * 4 + [False] * 6
    quiet = Target("PRJ_1", "DER_2")
    assert worker.post(Command(quiet, "q", "disconnect"))
    # It has an instruction without an answer now, so the common limit is for it, too.
    assert not worker.post(Command(quiet, "r", "disconnect"))
