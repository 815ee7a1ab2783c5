"""The answers that open pages share, and their way past the routes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from gridsim_plugins.views.web.shared import SharedAnswers
from gridsim_plugins.views.web.shortcut import Shortcut
from gridsim_plugins.views.web.status import DeliveryRates
from gridsim_plugins.views.web.stream import Stream
from tests.fixtures.asgi import ask
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench


class Clock:
    """The time, and how long an answer may be held."""

    now, hold = 0.0, 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> SharedAnswers:
    return SharedAnswers(lambda: clock.hold, monotonic=lambda: clock.now)


def numbered(numbers: Iterator[int]) -> bytes:
    return b"%d" % next(numbers)


def test_an_answer_is_made_again_for_each_state(shared: SharedAnswers) -> None:
    numbers, first, second = count(), object(), object()

    def get(state: object, key: str) -> bytes:
        return shared.get(state, key, "text/plain", lambda: numbered(numbers)).plain

    assert [get(first, "a"), get(first, "a"), get(first, "b")] == [b"0", b"0", b"1"]
    assert [get(second, "a"), get(second, "b"), get(second, "a")] == [b"2", b"3", b"2"]
    assert shared.held("a") is None


def test_an_answer_is_held_for_so_long(shared: SharedAnswers, clock: Clock) -> None:
    numbers = count()
    clock.now, clock.hold = 100.0, 5.0

    def get() -> bytes:
        return shared.get(object(), "a", "text/plain", lambda: numbered(numbers)).plain

    found = []
    for at in (100.0, 104.9, 105.0, 109.9):
        clock.now = at
        found.append(get())
    assert found == [b"0", b"0", b"1", b"1"]
    held = shared.held("a")
    assert held is not None
    assert held.plain == b"1"
    clock.hold = 0.0
    assert (shared.held("a"), get()) == (None, b"2")


def test_a_held_answer_needs_no_route(shared: SharedAnswers, clock: Clock, tmp_path: Path) -> None:
    control = SteppedControl(Bench(tmp_path).plan(HEAD + HOMES)[0])
    routed = PlainTextResponse("by the route")
    app = Shortcut(routed, shared=shared, stream=Stream(control.roster, DeliveryRates()))
    clock.now, clock.hold = 100.0, 5.0
    made = shared.get(object(), ("/a", b"b=1"), "text/plain", lambda: b"held", {"x-time-ms": "7"})
    answer = ask(app, "/a?b=1")
    assert (answer.body, answer.headers["x-time-ms"]) == (b"held", "7")
    again = ask(app, "/a?b=1", headers={"if-none-match": made.etag})
    assert (again.status, again.body) == (304, b"")
    others = [ask(app, "/a?b=2"), ask(app, "/a"), ask(app, "/a?b=1", method="POST", body={})]
    assert [one.body for one in others] == [b"by the route"] * 3
    clock.now = 105.0
    assert ask(app, "/a?b=1").body == b"by the route"
