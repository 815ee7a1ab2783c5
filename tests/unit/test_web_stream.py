"""The stream of the page, in process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gridsim.contracts.status import RunState
from gridsim_plugins.views.web.status import DeliveryRates
from gridsim_plugins.views.web.stream import Stream
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench


@pytest.fixture
def control(tmp_path: Path) -> SteppedControl:
    return SteppedControl(Bench(tmp_path).plan(HEAD + HOMES)[0])


def test_a_pause_sends_the_status_at_once(control: SteppedControl) -> None:
    now = 0.0
    stream = Stream(control.roster, DeliveryRates(), monotonic=lambda: now)

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


def test_many_clients_get_fewer_frames_but_the_last_of_each_state(
    control: SteppedControl,
) -> None:
    now = 0.0
    stream = Stream(control.roster, DeliveryRates(), monotonic=lambda: now)

    def show(at: float, state: RunState) -> None:
        nonlocal now
        now, control.state = at, state
        control.advance()
        stream.show(control.snapshot())

    async def ticks() -> list[int]:
        stream.bind(asyncio.get_running_loop())
        show(0.0, "running")
        await asyncio.sleep(0)
        clients = [stream.response().body_iterator for _ in range(50)]
        for one in clients:
            # The status, with which a client begins.
            await anext(one)  # type: ignore[call-overload]
        assert stream.hold_s() == pytest.approx(5.0)
        for at in (1.4, 1.5, 1.6, 2.9, 3.0):
            show(at, "running")
        show(3.1, "paused")
        assert stream.hold_s() == 0.0
        found: list[int] = []
        while not found or found[-1] < 7:
            text = (await anext(clients[0])).decode()  # type: ignore[call-overload]
            data = text.splitlines()[1].removeprefix("data: ")
            found.append(json.loads(data)["tick"])
        return found

    assert asyncio.run(ticks()) == [1, 3, 6, 7]
