"""A transport and a source that do not return: they are named, once, and the run continues."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from gridsim.api import Batch, Receipt
from gridsim.cli.supervise import supervise
from gridsim.delivery import DeliveryPolicy, Runner
from gridsim.running.inbox import CommandInbox
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.sources import SourceWorker
from gridsim.testing import START_MS, make_batch, make_roster
from gridsim.text.status import live_line
from tests.unit.sources.wires import Wire
from tests.unit.stepping import SteppedTime

DEADLINE_S = 20.0
LIMIT_S = 10.0

HANGING = """
import threading
from gridsim.api import Settings, Source, Transport, hookimpl

RELEASE = threading.Event()


class Wire(Transport):
    def describe(self):
        return "a wire"

    def connect(self):
        pass

    def write(self, batch, receipt):
        RELEASE.wait()

    def close(self):
        pass


class Ears(Source):
    def describe(self):
        return "ears"

    def connect(self):
        RELEASE.wait()

    def serve(self, inbox, timeout_s):
        RELEASE.wait(timeout_s)

    def acknowledge(self, acknowledgements):
        pass

    def close(self):
        pass


@hookimpl
def gridsim_register(register):
    register.transport("wire", Wire)
    register.source("ears", Ears)
"""
CONFIG = """
[simulation]
plugins = ["hanging_wire.py"]
hang_timeout_s = 0.1
tick_s = 0.25
[[projects]]
id = "P"
[[projects.ders]]
id = "B"
type = "battery"
nameplate_capacity = 5.0
[[transports]]
type = "wire"
stall_timeout_s = 0.2
[[transports]]
type = "file"
path = "out.jsonl"
"""
SOURCE = """
[[sources]]
type = "ears"
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Stuck:
    """A transport whose write waits for `release`, and settles rows as the test says."""

    at_most_once = False
    has_connection = True
    rows_at_once = 0

    def __init__(self) -> None:
        self.receipt: Receipt | None = None
        self.release = threading.Event()

    def describe(self) -> str:
        return ""

    def hint(self) -> str:
        return ""

    def connect(self) -> None:
        pass

    def write(self, batch: Batch, receipt: Receipt) -> None:
        self.receipt = receipt
        assert self.release.wait(DEADLINE_S)

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_write_without_progress_hangs_from_the_limit_on() -> None:
    stepped, stuck = SteppedTime(), Stuck()
    transport: Any = stuck
    policy = DeliveryPolicy(10_000_000, "drop_oldest", 30, give_up_at_start=False)
    runner = Runner("wire", transport, policy, time=stepped.time)
    runner.start()
    try:
        until(lambda: runner.state == "up")
        assert runner.hanging_in(LIMIT_S) == ""
        runner.offer(make_batch(make_roster((3,))))
        until(lambda: stuck.receipt is not None)
        stepped.now += LIMIT_S - 0.001
        assert runner.hanging_in(LIMIT_S) == ""
        stepped.now += 0.001
        assert runner.hanging_in(LIMIT_S) == "write"
        # A row that is settled is progress, also if `write` has not returned.
        assert stuck.receipt is not None
        stuck.receipt.delivered(1)
        assert runner.hanging_in(LIMIT_S) == ""
        stepped.now += LIMIT_S
        assert runner.hanging_in(LIMIT_S) == "write"
    finally:
        stuck.release.set()
        runner.close()
        assert runner.wait(DEADLINE_S)
    assert runner.hanging_in(0.0) == ""
    assert runner.counters().delivered == 3


@pytest.mark.parametrize("method", ["connect", "serve", "close"])
def test_a_source_that_does_not_return_hangs_in_that_method(method: str) -> None:
    stepped, wire = SteppedTime(), Wire()
    entered, release = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        entered.set()
        assert release.wait(DEADLINE_S)

    setattr(wire, method, hang)
    worker = SourceWorker("wire", wire, CommandInbox(), lambda: (0, START_MS), time=stepped.time)
    worker.start()
    try:
        assert entered.wait(DEADLINE_S)
        stepped.now += LIMIT_S - 0.001
        assert worker.hanging_in(LIMIT_S) == ""
        stepped.now += 0.001
        assert worker.hanging_in(LIMIT_S) == method
    finally:
        release.set()
        worker.close()
        assert worker.wait(DEADLINE_S)
    assert worker.hanging_in(0.0) == ""


def release_of(folder: Path) -> threading.Event:
    """Return the event that the plugins in a folder wait for."""
    path = str(folder / "hanging_wire.py")
    module: Any = next(
        one for one in [*sys.modules.values()] if getattr(one, "__file__", None) == path
    )
    event = module.RELEASE
    assert isinstance(event, threading.Event)
    return event


def test_a_run_names_each_once_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "hanging_wire.py").write_text(HANGING)
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.replace('"out', f'"{tmp_path}/out'))
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}", level="INFO")
    try:
        ending = supervise(make_plan(Options(config, "1s")))
    finally:
        logger.remove(handler)
        release_of(tmp_path).set()
    said = [line for line in lines if "hangs" in line and "tick" not in line]
    assert said == [
        "WARNING transport wire hangs: no progress in write() for 0.1 s. The run continues, and "
        "the readings of this transport wait\n"
    ]
    assert "ERROR transport wire failed: no progress in write() for 0.2 s\n" in lines
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4
    assert (ending.status, ending.hung) == (1, True)


def test_the_status_shows_which_method_hangs(tmp_path: Path) -> None:
    (tmp_path / "hanging_wire.py").write_text(HANGING)
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.replace('"out', f'"{tmp_path}/out') + SOURCE)
    run = Run(make_plan(Options(config)), clock="manual")
    release = release_of(tmp_path)
    starter = threading.Thread(target=run.start)
    starter.start()
    try:
        until(lambda: any(one.hanging for one in run.status().sources))
        assert run.hanging() == {"source ears": "connect"}
        release.set()
        starter.join(DEADLINE_S)
        assert run.hanging() == {}
        release.clear()
        run.advance(2)
        until(lambda: run.status().transports[0].hanging == "write")
        assert "wire 0 delivered, 2 pending (write hangs)" in live_line(run.status())
        assert run.status().to_dict()["transports"][0]["hanging"] == "write"
    finally:
        release.set()
        run.stop()
    assert [one.delivered for one in run.status().transports] == [2, 2]
