"""The status of a run, its instructions, and the confirmation of what it sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import gridsim
from gridsim.api import (
    Acknowledgement,
    Batch,
    Command,
    Inbox,
    Receipt,
    Settings,
    Source,
    Target,
)
from gridsim.contracts.part_status import InstructionStatus
from gridsim.ledger import Reader
from gridsim.running.parts import PlannedSource
from gridsim.running.run import Run
from gridsim.testing import make_run
from tests.unit.run.homes import DEADLINE_S, Make


def test_the_status_says_what_flows(make: Make) -> None:
    with make() as run:
        before = run.status()
        assert (before.load_kw, before.output_kw) == (0.0, {"generator": 0.0, "solar": 0.0})
        run.advance(3)
        status = run.status()
    assert status.load_kw == 2.5
    assert status.output_kw["solar"] > 1.0
    assert status.net_kw == pytest.approx(2.5 - sum(status.output_kw.values()))
    assert status.time_ms == status.start_ms + 3000
    assert (status.projects, status.devices, status.seed) == (1, 2, 42)
    record = json.loads(json.dumps(status.to_dict()))
    assert record["transports"][0]["name"] == "file"
    assert record["net_kw"] == pytest.approx(status.net_kw)


def test_a_run_that_is_over_takes_no_instruction(make: Make) -> None:
    command = gridsim.Command(gridsim.Target("HOME", "GEN"), "c-1", "disconnect")
    with make() as run:
        assert run.post(command) is True
        run.advance()
    assert run.post(command) is False
    assert run.status().instructions == InstructionStatus(waiting=0, received=1, rejected=0)


class Letters(Source[Settings]):
    """A source that posts one command and keeps its answers."""

    answered = threading.Event()

    def describe(self) -> str:
        return "letters"

    def connect(self) -> None:
        self.sent = False

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        if not self.sent:
            self.sent = True
            inbox.post(gridsim.Command(gridsim.Target("HOME", "GEN"), "c-1", "disconnect"))

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        self.answered.set()

    def close(self) -> None:
        """Release nothing."""


def test_the_status_counts_what_a_source_posted_and_was_answered(make: Make) -> None:
    run = make()
    plan = replace(run.plan, sources=(PlannedSource("letters", Letters(Settings(), make_run())),))
    with Run(plan, clock="manual") as run:
        until = time.monotonic() + DEADLINE_S
        while not run.status().instructions.waiting:
            assert time.monotonic() < until
        [source] = run.status().sources
        assert (source.name, source.posted, source.unanswered) == ("letters", 1, 1)
        run.advance()
        assert Letters.answered.wait(DEADLINE_S)
    [source] = run.status().sources
    assert (source.posted, source.refused, source.unanswered, source.waiting) == (1, 0, 0, 0)
    assert (source.acknowledged, source.undelivered, source.state) == (1, 0, "closed")


def test_confirm_waits_for_the_transports_and_the_ledger(make: Make, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with make(more=f"\n[ledger]\npath = {json.dumps(str(ledger))}\n") as run:
        for ticks in (3, 1):
            run.advance(ticks)
            assert run.confirm()
            [file] = run.status().transports
            with Reader(ledger) as reader:
                assert not reader.complete
                [(rows,)] = reader.rows("SELECT sum(rows) FROM batches")
                [(delivered,)] = reader.rows("SELECT count(*) FROM fates")
            assert (file.pending, file.delivered, rows) == (0, rows, 2 * run.status().tick)
            assert delivered
        assert run.confirm()


def test_confirm_gives_up_on_a_transport_that_makes_no_progress(make: Make) -> None:
    run = make()
    free = threading.Event()
    transport = run.plan.transports[0].transport
    write = transport.write

    def wait(batch: Batch, receipt: Receipt) -> None:
        assert free.wait(DEADLINE_S)
        write(batch, receipt)

    transport.write = wait  # type: ignore[method-assign]
    with run:
        run.advance()
        assert not run.confirm(timeout_s=0.01)
        free.set()
        assert run.confirm()


def test_it_waits_for_instructions(make: Make) -> None:
    with make() as run:
        assert not run.wait_for_instructions(1, 0.001)
        posting = threading.Timer(0.01, run.post, [Command(Target("HOME", "GEN"), "c", "connect")])
        posting.start()
        assert run.wait_for_instructions(1, DEADLINE_S)
        posting.join()
        run.advance()
        assert not run.wait_for_instructions(1, 0.001)
