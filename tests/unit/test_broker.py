from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gridsim.api import TransportError
from gridsim_plugins.mqtt.embedded import EmbeddedBroker
from tests.fixtures.ports import free_port

DEADLINE_S = 20.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as made:
        yield made


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_listens_where_asked_on_loopback_only(broker: EmbeddedBroker) -> None:
    port = free_port()
    assert broker.start(port) == ("127.0.0.1", port)
    assert listens(("127.0.0.1", port))
    # All of 127/8 is this machine: bound to any address, it would answer here too.
    assert sys.platform != "linux" or not listens(("127.0.0.2", port))


def test_one_broker_serves_all_who_ask(broker: EmbeddedBroker) -> None:
    answers: list[tuple[str, int]] = []
    threads = [threading.Thread(target=lambda: answers.append(broker.start(0))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert broker.start(free_port()) == answers[0]


def test_a_taken_port_is_replaced_by_a_free_one(broker: EmbeddedBroker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: int = other.getsockname()[1]
        address = broker.start(taken)
    assert address[1] != taken
    assert listens(address)


def test_it_ends_when_stopped_and_can_be_started_again(broker: EmbeddedBroker) -> None:
    address = broker.start(0)
    broker.close()
    assert not listens(address)
    assert broker.start(0) == address, "those who know the address find it again"
    assert listens(address)


def test_it_ends_with_its_parent_even_if_that_is_killed() -> None:
    program = (
        "import sys; from gridsim_plugins.mqtt.embedded import EmbeddedBroker; "
        "print(EmbeddedBroker().start(0)[1], flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    address = ("127.0.0.1", int(parent.stdout.readline()))
    assert listens(address)
    parent.kill()
    _, said = parent.communicate(timeout=DEADLINE_S)
    assert eventually(lambda: not listens(address))
    assert said == ""


@pytest.mark.skipif(os.name != "posix", reason="sessions are POSIX's")
def test_it_has_a_session_of_its_own_which_no_terminal_interrupts(broker: EmbeddedBroker) -> None:
    broker.start(0)
    child = broker._child
    assert child is not None
    assert os.getsid(child.pid) == child.pid


def test_why_it_does_not_start_is_said(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TransportError, match="did not start: OverflowError"):
        broker.start(70_000)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TransportError, match="ended with status 1"):
        broker.start(0)
    assert capfd.readouterr() == ("", "")


@contextmanager
def client_of(address: tuple[str, int]) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect(*address)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def subscribe(client: Client) -> list[tuple[str, bytes]]:
    """Subscribe `client` to all topics, and return the list that gets its messages."""
    arrived: list[tuple[str, bytes]] = []
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda *given: arrived.append((given[2].topic, bytes(given[2].payload)))
    client.subscribe("#", 1)
    assert subscribed.wait(DEADLINE_S)
    return arrived


def test_a_client_reads_what_another_publishes(broker: EmbeddedBroker) -> None:
    address = broker.start(0)
    with client_of(address) as reader, client_of(address) as writer:
        arrived = subscribe(reader)
        writer.publish("projects/PRJ_0", b"hello", 1).wait_for_publish(DEADLINE_S)
        assert eventually(lambda: bool(arrived))
    assert arrived == [("projects/PRJ_0", b"hello")]


def test_what_it_confirmed_arrives_before_it_ends(broker: EmbeddedBroker) -> None:
    address = broker.start(0)
    with ExitStack() as stack:
        # With ten subscribers the confirmation of a message is well ahead of its arrival.
        readers = [subscribe(stack.enter_context(client_of(address))) for _ in range(10)]
        writer = stack.enter_context(client_of(address))
        confirmed: list[int] = []
        all_confirmed = threading.Event()

        def on_publish(client: Client, data: object, mid: int, *_: object) -> None:
            confirmed.append(mid)
            if len(confirmed) == 100:
                all_confirmed.set()

        writer.on_publish = on_publish
        for _ in range(100):
            writer.publish("projects/PRJ_0", b"", 1)
        assert all_confirmed.wait(DEADLINE_S)
        broker.restart()
        assert eventually(lambda: all(len(arrived) == 100 for arrived in readers))


def test_a_subscriber_that_hangs_does_not_keep_it(broker: EmbeddedBroker) -> None:
    address = broker.start(0)
    with client_of(address) as reader, client_of(address) as writer:
        hang, hangs = threading.Event(), threading.Event()
        subscribe(reader)

        def on_message(*_: object) -> None:
            hangs.set()
            hang.wait(DEADLINE_S)

        reader.on_message = on_message
        writer.publish("projects/PRJ_0", b"", 1).wait_for_publish(DEADLINE_S)
        assert hangs.wait(DEADLINE_S)
        child = broker._child
        assert child is not None
        broker.close()
        hang.set()
        assert child.returncode == 0
