"""Every reading has exactly one fate, and the fates add up to what the runner counts."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import Batch
from gridsim.delivery import Counters, DeliveryPolicy, Runner
from gridsim.ledger import Fates
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.ledgers import FLEET
from tests.unit.delivery.scripted import (
    DEADLINE_S,
    POLICY,
    ROWS,
    Script,
    Scripted,
    accept,
    batch_of,
    crash,
    doubt_two,
    leave,
    lose,
    lose_after_two,
    refuse_first,
    stall,
)
from tests.unit.stepping import SteppedTime

SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (accept, crash, doubt_two, leave, lose, lose_after_two, refuse_first)
}


def numbered(tick: int) -> Batch:
    return replace(batch_of(tick), number=tick * ROWS)


def check(fates: Fates, counters: Counters, ticks: int) -> dict[int, str]:
    """The fate of each reading by its number, after checking it against the counters."""
    runs, retries = fates.take(ticks * ROWS)
    of: dict[int, str] = {}
    totals: Counter[tuple[str, str]] = Counter()
    for _, first, rows, fate, reason, _ in runs:
        for number in range(first, first + rows):
            assert number not in of, "a reading with two fates"
            of[number] = fate
        totals[fate, reason] += rows
    assert sorted(of) == list(range(ticks * ROWS))
    assert counters.accepted == ticks * ROWS
    assert counters.pending == 0
    assert totals["delivered", ""] == counters.delivered
    assert totals["unconfirmed", ""] == counters.unconfirmed
    dropped = {reason: n for (fate, reason), n in totals.items() if fate == "dropped"}
    assert dropped == dict(counters.dropped)
    assert all(0 <= first < first + rows <= ticks * ROWS for _, first, rows, _ in retries)
    return of


def run(transport: Scripted, ticks: int, **policy: Any) -> tuple[Runner, Fates]:
    fates = Fates(0)
    runner = Runner(
        "scripted",
        transport,
        replace(POLICY, **policy),
        observer=fates,
        time=SteppedTime().time,
    )
    runner.start()
    for tick in range(ticks):
        runner.offer(numbered(tick))
    return runner, fates


def end(runner: Runner) -> Counters:
    runner.close()
    assert runner.wait(DEADLINE_S)
    runner.settle()
    return runner.counters()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(SCRIPTS)), min_size=1, max_size=5))
def test_whatever_a_transport_does_each_reading_has_one_fate(names: list[str]) -> None:
    transport = Scripted(*(SCRIPTS[name] for name in names), accept)
    runner, fates = run(transport, ticks=4)
    check(fates, end(runner), ticks=4)


@pytest.mark.parametrize("on_full", ["drop_oldest", "drop_newest"])
def test_what_a_full_queue_drops_is_named(on_full: str) -> None:
    size = numbered(0).nbytes
    transport = Scripted(stall, accept)
    fates = Fates(0)
    policy = DeliveryPolicy(2 * size, on_full, 30, False)  # type: ignore[arg-type]
    runner = Runner("scripted", transport, policy, observer=fates)
    runner.start()
    runner.offer(numbered(0))
    assert transport.entered.wait(DEADLINE_S)
    for tick in range(1, 6):
        runner.offer(numbered(tick))
    transport.release.set()
    of = check(fates, end(runner), ticks=6)
    lost = {number // ROWS for number, fate in of.items() if fate == "dropped"}
    # The first was on its way; the queue had room for two of the other five.
    assert lost == ({1, 2, 3} if on_full == "drop_oldest" else {3, 4, 5})


def test_what_hangs_in_a_stalled_transport_is_unconfirmed() -> None:
    transport = Scripted(stall)
    runner, fates = run(transport, ticks=3)
    assert transport.entered.wait(DEADLINE_S)
    runner.close()
    runner.settle()
    counters = runner.counters()
    # Whatever the transport says from now on comes too late.
    transport.release.set()
    assert runner.wait(DEADLINE_S)
    of = check(fates, counters, ticks=3)
    assert [of[tick * ROWS] for tick in range(3)] == ["unconfirmed", "dropped", "dropped"]
    assert fates.take(3 * ROWS) == ([], [])


def test_what_was_under_way_at_a_loss_is_noted_as_sent_again() -> None:
    runner, fates = run(Scripted(lose_after_two, accept), ticks=1)
    end(runner)
    _, retries = fates.take(ROWS)
    assert [(first, rows) for _, first, rows, _ in retries] == [(2, ROWS - 2)]


def test_runs_of_the_same_fate_are_one_entry() -> None:
    """A transport that confirms each message by itself must not cost a row for each."""
    fates = Fates(3)
    for number in range(1000):
        fates.settled(number, 1, "delivered", "")
    runs, _ = fates.take(1000)
    assert sum(rows for _, _, rows, *_ in runs) == 1000
    assert len(runs) < 100
    assert {transport for transport, *_ in runs} == {3}


def taken(fates: Fates, below: int) -> list[tuple[int, int, str]]:
    runs, _ = fates.take(below)
    return [(first, rows, fate) for _, first, rows, fate, *_ in runs]


def test_a_fate_waits_for_its_batch() -> None:
    fates = Fates(0)
    fates.settled(0, 10, "delivered", "")
    fates.settled(20, 5, "dropped", "queue full")
    fates.settled(10, 10, "unconfirmed", "")
    assert taken(fates, 0) == []
    assert taken(fates, 9) == [(0, 9, "delivered")]
    assert taken(fates, 10) == [(9, 1, "delivered")]
    assert taken(fates, 10) == []
    assert taken(fates, 21) == [(10, 10, "unconfirmed"), (20, 1, "dropped")]
    assert taken(fates, 25) == [(21, 4, "dropped")]
    assert taken(fates, 10**9) == []


def test_a_part_that_was_taken_grows_no_more() -> None:
    fates = Fates(0)
    fates.settled(0, 10, "delivered", "")
    assert taken(fates, 4) == [(0, 4, "delivered")]
    fates.settled(10, 5, "delivered", "")  # follows the part that waits
    assert sum(rows for _, rows, _ in taken(fates, 15)) == 11


def test_a_retry_waits_for_its_batch() -> None:
    fates = Fates(2)
    fates.again(0, 5)
    fates.again(5, 5)
    assert [retry[:3] for retry in fates.take(9)[1]] == [(2, 0, 5)]
    assert [retry[:3] for retry in fates.take(10)[1]] == [(2, 5, 5)]


def test_the_ledger_holds_no_fate_without_its_reading(tmp_path: Path) -> None:
    """Even if the transport was faster than the ledger's thread."""
    config = tmp_path / "fleet.toml"
    config.write_text(FLEET.format(ledger=tmp_path / "ledger.sqlite"))
    plan = make_plan(Options(config=config))
    assert plan.ledger is not None
    ledger = plan.ledger.open()
    simulation = Simulation(plan.configuration.scenario)
    results = [simulation.advance(()) for _ in range(3)]
    rows = len(results[0].batch)

    def written(table: str) -> list[tuple[int, int]]:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
            query = f"SELECT first, rows FROM {table} ORDER BY first"
            return connection.execute(query).fetchall()

    try:
        ledger.record(results[0])
        # The fates of all three, of which one is recorded.
        ledger.fates[0].settled(0, 2 * rows + 1, "delivered", "")
        ledger.fates[0].again(rows, rows)
        deadline = time.monotonic() + DEADLINE_S
        while not written("fates"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert written("fates") == [(0, rows)]
        assert written("retries") == []
        ledger.record(results[1])
        ledger.record(results[2])
    finally:
        ledger.close(complete=True, timeout_s=DEADLINE_S)
    fates = written("fates")
    assert [number for first, n in fates for number in range(first, first + n)] == list(
        range(2 * rows + 1)
    )
    assert written("retries") == [(rows, rows)]
