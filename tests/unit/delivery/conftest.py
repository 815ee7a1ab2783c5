"""A runner of a scripted transport that ends with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from gridsim.delivery import Runner
from gridsim.delivery.connection import REAL_TIME, Time
from tests.unit.delivery.scripted import DEADLINE_S, POLICY, Scripted


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
