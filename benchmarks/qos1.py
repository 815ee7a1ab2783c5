"""The speed of QoS 1 beside paho at its best, on the same records in the same run.

Both publish to the benchmark's own Mosquitto, alternately; the result is the median of the rounds.
paho is used in its fastest way: no thread, no socket pair, no callback, ready payloads, its socket
written once per 1000 messages, no window of its own (or the fastest it is given).
"""

from __future__ import annotations

import argparse
import selectors
import time
from collections.abc import Callable
from statistics import median

from mosquitto import mosquitto, version
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gridsim.api import Batch
from gridsim.testing import RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.formats.json import Json
from gridsim_plugins.mqtt.transport import Mqtt

BATCH = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--qos", type=int, choices=(1, 2), default=1)
    options = parser.parse_args()
    batch = make_batch(make_roster([10] * (BATCH // 10)))
    rounds = max(options.messages // BATCH, 1)
    windows = (0, 20, 100, 1000) if options.qos == 1 else (20,)
    with mosquitto() as port:
        own = _gridsim(port, batch, options.qos)
        ways: dict[str, Callable[[], None]] = {"gridsim, encoding included": own}
        for window in windows:
            name = f"paho, window {window or 'unlimited'}, payloads ready"
            ways[name] = _paho(port, batch, options.qos, window)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()
        for _ in range(options.rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                for _ in range(rounds):
                    way()
                times[name].append(rounds * BATCH / (time.perf_counter() - began))
    print(f"Mosquitto {version()}, QoS {options.qos}, no subscriber, {options.rounds} rounds")
    rates = {name: median(values) for name, values in times.items()}
    for name, rate in rates.items():
        print(f"{rate:>10,.0f} messages/s  {name}")
    gridsim, *paho = rates.values()
    print(f"{gridsim / max(paho):>10.2f} times paho's best")


def _gridsim(port: int, batch: Batch, qos: int) -> Callable[[], None]:
    run = make_run(batch.roster)
    # It is silent during the turns of the others, for longer than any ordinary keepalive.
    given = {"host": "127.0.0.1", "port": port, "qos": qos, "keepalive_s": 600}
    settings = Mqtt.Settings.model_validate(given)
    transport = Mqtt(settings, Json(Json.Settings(), "der", batch.roster), run)
    transport.connect()

    def write() -> None:
        receipt = RecordingReceipt(len(batch))
        transport.idle()
        transport.write(batch, receipt)
        assert receipt.delivered_rows == len(batch)

    return write


def _paho(port: int, batch: Batch, qos: int, window: int) -> Callable[[], None]:
    roster = batch.roster
    bodies = Json(Json.Settings(), "der", roster).encode(batch).bodies
    names = zip(roster.project[batch.device], roster.der_id, strict=True)
    topics = [f"projects/{roster.project_id[project]}/ders/{der}" for project, der in names]
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"paho-{window}")
    client.max_inflight_messages = window
    # With this it makes no socket pair, and does not write at once.
    client.on_socket_register_write = lambda *_: None
    client.connect("127.0.0.1", port, keepalive=600)
    selector = selectors.DefaultSelector()
    selector.register(client.socket(), selectors.EVENT_READ)

    def turn(timeout_s: float) -> None:
        if client.want_write():
            client.loop_write()
        if selector.select(timeout_s):
            client.loop_read()

    while not client.is_connected():
        turn(1)

    def write() -> None:
        last = None
        for start in range(0, len(topics), 1000):
            for topic, body in zip(
                topics[start : start + 1000], bodies[start : start + 1000], strict=True
            ):
                last = client.publish(topic, body, qos)
            turn(0)
        assert last is not None
        while not last.is_published():
            turn(1)

    return write


if __name__ == "__main__":
    main()
