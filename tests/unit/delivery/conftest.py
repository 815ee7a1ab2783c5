"""Runners of scripted transports that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from gridsim.delivery import Runner
from gridsim.delivery.connection import REAL_TIME, Time
from tests.unit.delivery.scripted import DEADLINE_S, POLICY, Scripted
from tests.unit.delivery.spools import Lives, ended, opened


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[Runner, Scripted]]]:
    made: list[tuple[Runner, Scripted]] = []

    def start(
        transport: Scripted, time: Time = REAL_TIME, **policy: Any
    ) -> tuple[Runner, Scripted]:
        runner = Runner("scripted", transport, replace(POLICY, **policy), time=time)
        made.append((runner, transport))
        runner.start()
        return runner, transport

    yield start
    for runner, transport in made:
        transport.release.set()
        runner.close()
        runner.wait(DEADLINE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "test.sqlite"


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
