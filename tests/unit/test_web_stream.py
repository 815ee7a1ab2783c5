"""The stream of the page, in process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gridsim.contracts.status import RunState
from gridsim_plugins.views.web.status import Rates
from gridsim_plugins.views.web.stream import Stream
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench


@pytest.fixture
def control(tmp_path: Path) -> SteppedControl:
    return SteppedControl(Bench(tmp_path).plan(HEAD + HOMES)[0])


def test_a_pause_sends_the_status_at_once(control: SteppedControl) -> None:
    now = 0.0
    stream = Stream(control.roster, Rates(), monotonic=lambda: now)

    async def names_of_the_next(events: object) -> list[str]:
        text = await anext(events)  # type: ignore[call-overload]
        return [line[7:] for line in text.decode().splitlines() if line.startswith("event: ")]

    async def sent() -> list[list[str]]:
        nonlocal now
        stream.bind(asyncio.get_running_loop())
        stream.show(control.snapshot())
        await asyncio.sleep(0)
        events = stream.response().body_iterator
        found = [await names_of_the_next(events), await names_of_the_next(events)]
        states: list[tuple[float, RunState]] = [
            (0.9, "running"),
            (0.95, "paused"),
            (1.9, "running"),
            (1.95, "running"),
        ]
        for at, state in states:
            now, control.state = at, state
            stream.show(control.snapshot())
            found.append(await names_of_the_next(events))
        return found

    assert asyncio.run(sent()) == [
        ["status"],
        ["frame"],
        ["frame"],
        ["frame", "status"],
        ["frame"],
        ["frame", "status"],
    ]
