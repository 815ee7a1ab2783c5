"""The same records by plain paho: as most scripts use it, and as well as it goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTMessageInfo

from gridsim.bench.broker import Broker, connect
from gridsim.bench.sample import Sample, Stopwatch
from gridsim.bench.survey import Message
from gridsim.errors import GridsimError

# paho's queue has no bound, and at 2 kB a message would fill the memory.
_LET_IT_CATCH_UP = 10_000
_PATIENCE_S = 60.0

Record = tuple[str, Any]


def as_records(stock: Sequence[Message]) -> list[Record]:
    """Topics with the objects that a script would have; with other formats than JSON, the text."""
    return [(message.topic, _object(message.body)) for message in stock]


def script(broker: Broker, records: Sequence[Record], count: int) -> Sample:
    """`json.dumps`, `loop_start`, an `on_publish` that counts, `publish` for each record."""
    client, _ = connect(broker)
    published = 0

    def on_publish(_: Any, __: Any, ___: Any, ____: Any, _____: Any) -> None:
        nonlocal published
        published += 1

    client.on_publish = on_publish
    qos, retain = broker.qos, broker.settings.retain
    watch = Stopwatch()
    client.loop_start()
    for number, (topic, record) in enumerate(islice(cycle(records), count), 1):
        text = record if isinstance(record, str) else json.dumps(record)
        info = client.publish(topic, text, qos, retain)
        if number % _LET_IT_CATCH_UP == 0:
            _wait(info)
    sample = _end(client, records[0][0], qos, watch)
    if published != count + 1:
        raise GridsimError(f"paho published {published - 1:,} of {count:,} messages")
    return sample


def best(broker: Broker, stock: Sequence[Message], count: int) -> Sample:
    """`loop_start`, payloads that are bytes already, no callback."""
    # No window: to keep one paho scans its messages at each acknowledgement. But with MQTT 5
    # and at QoS 2 the broker would hang up on it.
    client, _ = connect(broker, window=0 if broker.qos == 1 and not broker.v5 else None)
    qos, retain = broker.qos, broker.settings.retain
    watch = Stopwatch()
    client.loop_start()
    for number, message in enumerate(islice(cycle(stock), count), 1):
        info = client.publish(message.topic, message.body, qos, retain)
        if number % _LET_IT_CATCH_UP == 0:
            _wait(info)
    return _end(client, stock[0].topic, qos, watch)


def _end(client: Client, topic: str, qos: int, watch: Stopwatch) -> Sample:
    # The acknowledgement of this one says that the broker has read all before it.
    _wait(client.publish(topic, b"", max(qos, 1)))
    sample = watch.read()
    client.disconnect()
    client.loop_stop()
    return sample


def _wait(info: MQTTMessageInfo) -> None:
    try:
        info.wait_for_publish(_PATIENCE_S)
        done = info.is_published()
    except (RuntimeError, ValueError) as error:
        raise GridsimError(f"paho lost the connection: {error}") from error
    if not done:
        raise GridsimError(f"paho got no answer from the broker for {_PATIENCE_S:g} s")


def _object(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace")
