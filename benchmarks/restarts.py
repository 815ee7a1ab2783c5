"""The readings that arrive while the broker restarts again and again. Exits 1 if one is lost.

Runs 100 DERs at 4 Hz with QoS 1 through a Mosquitto that is stopped and started at random times, 88
times by default. The far end is another client with a session that the broker keeps over its
restarts. Every reading must be counted as delivered, and must have arrived at the far end.
"""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from loguru import logger
from mosquitto import find, version
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

import gridsim
from gridsim.running.verdict import judge
from gridsim.text.verdict import finding_line

CONFIG = """
[simulation]
tick_s = 0.25
[[projects]]
id = "P{{n}}"
count = 100
[[projects.ders]]
id = "{{project_id}}_B"
type = "battery"
nameplate_capacity = 5.0
[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = {port}
qos = 1
"""
SETTLED_S = 60.0
"""The time after the last restart in which everything must have arrived."""


class Broker:
    """A Mosquitto that keeps its sessions over a restart."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            f"persistence true\npersistence_location {folder}/\nuser {getpass.getuser()}\n"
            "log_type error\nlog_dest stderr\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and return when it listens."""
        command = [find("mosquitto"), "-c", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                sys.exit("mosquitto did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)


class FarEnd:
    """Another client, which subscribes with QoS 1 and counts each reading."""

    def __init__(self, port: int) -> None:
        self.copies: Counter[tuple[str, str]] = Counter()
        """The number of copies of each reading, by DER and timestamp."""
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="far-end", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("projects/#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _note(self, client: Client, _: object, message: MQTTMessage) -> None:
        record = json.loads(message.payload)
        self.copies[record["der_id"], record["timestamp"]] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=88)
    parser.add_argument("--seed", type=int, default=42, help="seed of the times of the restarts")
    options = parser.parse_args()
    logger.remove()
    logging.disable()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        broker.start()
        far_end = FarEnd(broker.port)
        if not far_end.subscribed.wait(10):
            sys.exit("the far end could not subscribe")
        config = folder / "run.toml"
        config.write_text(CONFIG.format(port=broker.port))
        try:
            with gridsim.run(config) as run:
                for _ in range(options.restarts):
                    time.sleep(rng.uniform(0.2, 2.0))
                    broker.stop()
                    time.sleep(rng.uniform(0.0, 0.5))
                    broker.start()
                run.pause()
                accepted = run.status().transports[0].accepted
                deadline = time.monotonic() + SETTLED_S
                while time.monotonic() < deadline and (
                    run.status().transports[0].delivered < accepted
                    or len(far_end.copies) < accepted
                ):
                    time.sleep(0.2)
        finally:
            far_end.close()
            broker.stop()
    status = run.status()
    (transport,) = status.transports
    verdict = judge(status)
    copies = far_end.copies
    print(
        f"Mosquitto {version()}, {options.restarts} restarts in {status.elapsed_s:.0f} s: "
        f"{transport.reconnects} reconnections, {status.late_ticks} late ticks of {status.tick:,}\n"
        f"{transport.accepted:,} readings accepted, {transport.delivered:,} delivered, "
        f"{transport.dropped_total:,} dropped, {transport.unconfirmed:,} unconfirmed\n"
        f"at the far end: {len(copies):,} different readings, "
        f"{copies.total() - len(copies):,} repeated copies"
    )
    faults = [finding_line(one) for one in verdict.findings]
    if len(copies) != transport.accepted:
        faults.append(f"{transport.accepted - len(copies):,} readings are not at the far end")
    if transport.delivered != transport.accepted:
        faults.append("the account does not say that every reading was delivered")
    if transport.reconnects < options.restarts // 2:
        faults.append("most restarts were not noticed: the test proves nothing")
    print("\n".join(faults) if faults else "nothing was lost")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
