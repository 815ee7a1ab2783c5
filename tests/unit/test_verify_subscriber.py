"""The use of a protocol's listener by `gridsim verify --subscribe`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from gridsim.api import Listener, ReceivedMessage, TransportError
from gridsim.errors import PluginError
from gridsim.verify.subscriber import Subscriber

DEADLINE_S = 20.0

Step = Exception | list[ReceivedMessage]


class Scripted(Listener):
    """One session after the other; each fails to connect, or receives what the test says."""

    def __init__(self, *sessions: Exception | Sequence[Step]) -> None:
        self._sessions = iter(sessions)
        self._steps: Iterator[Step] = iter(())
        self.connects = self.closes = 0
        self.idle = threading.Event()
        """Set once the last session has nothing more."""

    def describe(self) -> str:
        return "somewhere"

    def connect(self) -> None:
        self.connects += 1
        session = next(self._sessions, [])
        if isinstance(session, Exception):
            raise session
        self._steps = iter(session)

    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        step = next(self._steps, None)
        if isinstance(step, Exception):
            raise step
        if step is None:
            self.idle.set()
            time.sleep(0.001)
            return []
        return step

    def close(self) -> None:
        self.closes += 1


@contextmanager
def running(listener: Listener) -> Iterator[Subscriber]:
    subscriber = Subscriber("wire", listener)
    subscriber.start()
    try:
        yield subscriber
    finally:
        subscriber.stop()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def message(text: bytes, time_ms: int) -> ReceivedMessage:
    return ReceivedMessage(text, time_ms)


def test_it_keeps_what_comes_with_its_times() -> None:
    listener = Scripted([[message(b"a", 1), message(b"b", 2)], [], [message(b"c", 3)]])
    before_ms = time.time_ns() // 1_000_000
    with running(listener) as subscriber:
        assert listener.idle.wait(DEADLINE_S)
        assert subscriber.subscribed.is_set()
        assert before_ms <= subscriber.since_ms <= time.time_ns() // 1_000_000
        assert subscriber.take() == ([b"a", b"b", b"c"], [1, 2, 3])
        assert subscriber.take() == ([], [])
    assert (subscriber.losses, subscriber.refusal) == (0, "")
    assert listener.connects == listener.closes == 1


def test_a_connection_that_fails_is_tried_again_and_is_no_loss() -> None:
    listener = Scripted(TransportError("not yet"), [[message(b"a", 1)]])
    with running(listener) as subscriber:
        assert listener.idle.wait(DEADLINE_S)
    assert subscriber.take()[0] == [b"a"]
    assert subscriber.losses == 0
    assert listener.connects == listener.closes == 2


def test_a_connection_that_is_lost_is_counted_and_made_again() -> None:
    listener = Scripted([[message(b"a", 1)], TransportError("lost")], [[message(b"b", 2)]])
    with running(listener) as subscriber:
        eventually(lambda: subscriber.subscribed.is_set())
        since_ms = subscriber.since_ms
        assert listener.idle.wait(DEADLINE_S)
    assert subscriber.take()[0] == [b"a", b"b"]
    assert subscriber.losses == 1
    assert subscriber.since_ms == since_ms, "the time of the first subscription"


def test_a_refusal_ends_it() -> None:
    listener = Scripted(TransportError("wrong password", permanent=True))
    with running(listener) as subscriber:
        eventually(lambda: listener.closes == 1)
    assert subscriber.refusal == "wrong password"
    assert not subscriber.subscribed.is_set()
    assert (listener.connects, subscriber.since_ms) == (1, 0)


def test_a_listener_that_breaks_its_contract_is_named() -> None:
    listener = Scripted([KeyError("oops")])
    with running(listener) as subscriber:
        eventually(lambda: listener.closes == 1)
    with pytest.raises(PluginError, match="the probe of wire failed: KeyError: 'oops'"):
        subscriber.check()


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ("text", "str"),
        (iter([]), "list_iterator"),
        ([b"body"], "a bytes of NoneType and NoneType"),
        (
            [ReceivedMessage(b"body", 1), ReceivedMessage._make(("body", 1, ""))],
            "a ReceivedMessage of str and",
        ),
        ([ReceivedMessage._make((b"body", 1.5, ""))], "a ReceivedMessage of bytes and float"),
    ],
)
def test_what_is_not_a_message_is_named(messages: Any, what: str) -> None:
    listener = Scripted([messages])
    with running(listener) as subscriber:
        eventually(lambda: listener.closes == 1)
    named = rf"the probe of wire failed: TypeError: receive\(\) returned {what}.*in receive\)"
    with pytest.raises(PluginError, match=named):
        subscriber.check()
