"""Reference clients with plain paho: one like most scripts, and one as fast as possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any, ClassVar

import msgspec
from paho.mqtt.client import Client, MQTTMessageInfo

from gridsim.api import ReferenceClient, TransportError, WireMessage
from gridsim_plugins.mqtt.bench.client import MeasuredBroker, connect

# paho's queue is unbounded: at 2 kB a message it would fill the memory.
_WAIT_EVERY = 10_000
_ANSWER_TIMEOUT_S = 60.0

Address = Callable[[], MeasuredBroker]


class PahoScript(ReferenceClient):
    """A client with `json.dumps`, `loop_start`, a counting `on_publish`, and `publish`."""

    name: ClassVar[str] = "paho_script"
    title: ClassVar[str] = "paho as most scripts use it"

    def __init__(self, broker: Address, stock: Sequence[WireMessage]) -> None:
        self._broker = broker
        self._records = [(message.topic, _record(message.body)) for message in stock]

    @contextmanager
    def sending(self, count: int) -> Iterator[Callable[[], None]]:
        broker = self._broker()
        client, _ = connect(broker)
        qos, retain = broker.qos, broker.settings.retain
        published = 0

        def on_publish(_: Any, __: Any, ___: Any, ____: Any, _____: Any) -> None:
            nonlocal published
            published += 1

        def send() -> None:
            client.loop_start()
            for number, (topic, record) in enumerate(islice(cycle(self._records), count), 1):
                text = record if isinstance(record, str) else json.dumps(record)
                info = client.publish(topic, text, qos, retain)
                if number % _WAIT_EVERY == 0:
                    _wait(info)
            _wait_for_all(client, self._records[0][0], qos)

        client.on_publish = on_publish
        with _closing(client):
            yield send
        if published != count + 1:
            raise TransportError(f"paho published {published - 1:,} of {count:,} messages")


class PahoBest(ReferenceClient):
    """A client with `loop_start`, payloads of bytes, and without a callback."""

    name: ClassVar[str] = "paho_best"
    title: ClassVar[str] = "paho, bytes and no callback"

    def __init__(self, broker: Address, stock: Sequence[WireMessage]) -> None:
        self._broker = broker
        self._stock = stock

    @contextmanager
    def sending(self, count: int) -> Iterator[Callable[[], None]]:
        broker = self._broker()
        # No limit, because with a limit paho scans its messages at each acknowledgement. With MQTT
        # 5 and at QoS 2 a limit is needed, because otherwise the broker would close the connection.
        client, _ = connect(broker, window=0 if broker.qos == 1 and not broker.v5 else None)
        qos, retain = broker.qos, broker.settings.retain

        def send() -> None:
            client.loop_start()
            for number, message in enumerate(islice(cycle(self._stock), count), 1):
                info = client.publish(message.topic, message.body, qos, retain)
                if number % _WAIT_EVERY == 0:
                    _wait(info)
            _wait_for_all(client, self._stock[0].topic, qos)

        with _closing(client):
            yield send


@contextmanager
def _closing(client: Client) -> Iterator[None]:
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def _wait_for_all(client: Client, topic: str, qos: int) -> None:
    # The broker acknowledges this message after it has read all earlier messages.
    _wait(client.publish(topic, b"", max(qos, 1)))


def _wait(info: MQTTMessageInfo) -> None:
    try:
        info.wait_for_publish(_ANSWER_TIMEOUT_S)
        done = info.is_published()
    except (RuntimeError, ValueError) as error:
        raise TransportError(f"paho lost the connection: {error}") from error
    if not done:
        raise TransportError(f"paho received no answer from the broker for {_ANSWER_TIMEOUT_S:g} s")


def _record(body: bytes) -> Any:
    """Return the object of a JSON payload, or the text of any other payload."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace")
