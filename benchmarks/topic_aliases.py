"""The bytes and the processor time that topic aliases of MQTT 5 would save.

The same readings go to the benchmark's own Mosquitto with their topics, and with aliases in place
of them, alternately, on one connection, with QoS 0. The topics are as many as the broker permits
aliases; the packets are made by the transport's own encoder. Processor time is that of encoding
and sending in this process, and that of the broker, per message; the results are medians.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from pathlib import Path
from statistics import median

import numpy as np
from mosquitto import mosquitto, version
from numpy.typing import NDArray

from gridsim.testing import make_batch, make_roster, make_run
from gridsim_plugins.formats.json import Json
from gridsim_plugins.mqtt.session.connect import connack, connect_packet
from gridsim_plugins.mqtt.session.frames import PINGREQ, Frames
from gridsim_plugins.mqtt.transport import Mqtt

MESSAGES = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument(
        "--blocks", type=int, default=10, help="per round; a block has 5,000 messages"
    )
    options = parser.parse_args()
    with mosquitto() as port:
        sock, count = _connect(port)
        print(f"Mosquitto {version()}, {count} aliases permitted, {options.rounds} rounds")
        roster = make_roster([count])
        batch = make_batch(roster, ticks=MESSAGES // count)
        format = Json(Json.Settings(), "der", roster)
        transport = Mqtt(Mqtt.Settings(), format, make_run(roster))
        topics = [transport.address(device).topic for device in range(count)]
        records = list(format.encode(batch).bodies)
        values = [f"{value:.2f}".encode() for value in batch.current_output.tolist()]
        values_topics = [f"{topic}/current_output" for topic in topics]
        for title, names, bodies in (
            ("records of the json format", topics, records),
            ("single values", values_topics, values),
        ):
            print(f"{title}, {names[0]}:")
            compare(sock, names, batch.device, bodies, options.rounds, options.blocks)


def compare(
    sock: socket.socket,
    topics: list[str],
    topic: NDArray[np.intp],
    bodies: list[bytes],
    rounds: int,
    blocks: int,
) -> None:
    """Print what an alias for each of the topics saves; `topic` is the index of each message's."""
    count, broker = len(topics), _broker_process()
    sizes = np.array([len(body) for body in bodies], np.intp)
    aliases = [b"\x03\x23" + (number + 1).to_bytes(2, "big") for number in range(count)]
    ways = {
        "topics": Frames(topics, qos=0, retain=False, properties=[b"\x00"]),
        "aliases": Frames([""] * count, qos=0, retain=False, properties=aliases),
    }
    # The first message of each topic, which gives the alias.
    first = Frames(topics, qos=0, retain=False, properties=aliases)
    _send(sock, first, np.arange(count), bodies[:count], sizes[:count])
    own: dict[str, list[float]] = {name: [] for name in ways}
    far: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, frames in ways.items():
            began, far_began = time.process_time(), _processor_s(broker)
            for _ in range(blocks):
                _send(sock, frames, topic, bodies, sizes)
            own[name].append((time.process_time() - began) / blocks / len(bodies))
            far[name].append((_processor_s(broker) - far_began) / blocks / len(bodies))
    for name, frames in ways.items():
        size = float(frames.sizes(topic, sizes).mean())
        print(
            f"{size:8.1f} bytes  {median(own[name]) * 1e9:6.0f} ns here  "
            f"{median(far[name]) * 1e9:6.0f} ns in the broker  with {name}"
        )
    plain, short = (float(one.sizes(topic, sizes).mean()) for one in ways.values())
    ratios = [
        short / plain,
        *(median(times["aliases"]) / median(times["topics"]) for times in (own, far)),
    ]
    print("{:.3f} of the bytes, {:.2f} of the time here, {:.2f} in the broker".format(*ratios))


def _send(
    sock: socket.socket,
    frames: Frames,
    topic: NDArray[np.intp],
    bodies: list[bytes],
    sizes: NDArray[np.intp],
) -> None:
    """Send messages, and wait for the answer to a ping: the broker has read them all."""
    sock.sendall(frames.pack(topic, bodies, sizes) + PINGREQ)
    answer = sock.recv(64)
    assert answer == b"\xd0\x00", f"the broker does not accept them: {answer!r}"


def _connect(port: int) -> tuple[socket.socket, int]:
    """Return a connection, and the number of aliases that the broker permits."""
    sock = socket.create_connection(("127.0.0.1", port))
    packet = connect_packet(
        client_id="aliases",
        username="",
        password="",
        keepalive_s=600,
        will_topic="w",
        will_payload=b"",
        v5=True,
        properties=b"\x00",
        will_properties=b"\x00",
    )
    sock.sendall(packet)
    answer = connack(sock.recv(1024), v5=True)
    assert answer is not None
    return sock, int(getattr(answer.properties, "TopicAliasMaximum", 0))


def _broker_process() -> int:
    """Return the id of this process's child that runs the broker."""
    [child] = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return int(child)


def _processor_s(process: int) -> float:
    """Return the processor time of another process, to the nanosecond."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


if __name__ == "__main__":
    main()
