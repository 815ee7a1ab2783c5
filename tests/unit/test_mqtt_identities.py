from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gridsim.api import NOT_CONNECTED, Framing, Settings, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_roster, make_run
from gridsim_plugins.mqtt.publish.messages import DELIVERED, MessageAccount, Messages
from gridsim_plugins.mqtt.publish.scatter import Scatter
from gridsim_plugins.mqtt.session.answers import ProtocolError
from gridsim_plugins.mqtt.session.connect import connack, connect_packet
from gridsim_plugins.mqtt.session.frames import Frames
from gridsim_plugins.mqtt.session.identities import make_identities
from gridsim_plugins.mqtt.session.limits import exhausted
from gridsim_plugins.mqtt.session.link import Link
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures.packets import first_packet

ROSTER = make_roster([2, 1])


def make(framing: Framing = "der", **settings: Any) -> Mqtt:
    plain = PlainFormat(Settings(), framing, ROSTER)
    return Mqtt(MqttSettings.model_validate(settings), plain, make_run(ROSTER))


def test_who_connects() -> None:
    settings = MqttSettings(connections="der", username="user-{project_id}")
    made = make_identities(settings, "der", ROSTER, ["t0", "t1", "t2"], "unique")
    assert made.client_id == ["unique-DER_0", "unique-DER_1", "unique-DER_2"]
    assert made.username == ["user-PRJ_0", "user-PRJ_0", "user-PRJ_1"]
    assert made.status_topic == ["t0/status", "t1/status", "t2/status"]
    assert made.of_device.tolist() == [0, 1, 2]


def test_a_project_with_several_topics_has_one_for_its_state() -> None:
    settings = MqttSettings(connections="project", client_id="{project_id}")
    made = make_identities(settings, "der", ROSTER, ["t0", "t1", "t2"], "unique")
    assert made.client_id == ["PRJ_0", "PRJ_1"]
    assert made.status_topic == ["projects/PRJ_0/status", "projects/PRJ_1/status"]
    assert made.of_device.tolist() == [0, 0, 1]
    whole = make_identities(settings, "project", ROSTER, ["t0", "t1"], "unique")
    assert whole.status_topic == ["t0/status", "t1/status"]
    shadows = make_identities(settings, "project", ROSTER, ["$t0", "$t1"], "unique")
    assert shadows.status_topic == made.status_topic


@pytest.mark.parametrize(
    ("framing", "settings", "says"),
    [
        ("project", {"connections": "der"}, "connections: a message of framing project"),
        (
            "der",
            {"connections": "der", "client_id": "same"},
            "'same' is the client id of both",
        ),
        ("der", {"connections": "der", "client_id": "{project_id}"}, "of both DER_0 and DER_1"),
        ("der", {"connections": "project", "username": "{der_id}"}, "username: unknown placeh"),
        (
            "der",
            {"connections": "der", "client_id": "{x}"},
            "connections der allows {project_id}, {der_id}, ",
        ),
        ("der", {"connections": "der", "status_topic": "a/+"}, "status_topic of DER_0: "),
        ("der", {"status_topic": "a"}, 'status_topic: it needs connections = "project"'),
        ("der", {"connections": "der", "will": {"topic": "a"}}, "will: with connections der"),
        (
            "der",
            {"connections": "der", "host": "b", "transport": "websockets"},
            "transport: WebSockets need",
        ),
    ],
)
def test_what_cannot_be(framing: Framing, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^[a-z_]+( of DER_0)?: ") as caught:
        make(framing, **settings)
    assert says in str(caught.value)


def test_braces_mean_nothing_on_a_shared_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        first = pool.submit(first_packet, listener)
        port = listener.getsockname()[1]
        mqtt = make(client_id="{der_id}", username="{x}", host="127.0.0.1", port=port)
        with pytest.raises(TransportError):
            mqtt.connect()
        mqtt.close()
        packet = first.result()
    variable, payload = packet[2:12], packet[12:]
    assert variable[:6] == b"\x00\x04MQTT"
    assert payload == b"\x00\x08{der_id}\x00\x03{x}"


def test_it_says_how_many_connections_there_are() -> None:
    assert make(connections="project").describe().endswith(", 2 connections, one per project")


@pytest.mark.parametrize("v5", [False, True])
@pytest.mark.parametrize(("username", "password"), [("", ""), ("u", ""), ("ü", "hush")])
def test_the_connect_packet_by_the_letter_of_the_standard(
    v5: bool, username: str, password: str
) -> None:
    packet = connect_packet(
        client_id="client",
        username=username,
        password=password,
        keepalive_s=300,
        will_topic="a/status",
        will_payload=b"gone",
        v5=v5,
        properties=b"\x00" if v5 else b"",
        will_properties=b"\x00" if v5 else b"",
    )
    assert packet[0] == 0x10
    assert packet[1] == len(packet) - 2
    assert packet[2:9] == b"\x00\x04MQTT" + bytes([5 if v5 else 4])
    assert packet[9] == 0x26 | (0x80 if username else 0) | (0x40 if password else 0)
    assert packet[10:12] == (300).to_bytes(2, "big")
    rest = packet[12:]
    if v5:
        assert rest[0] == 0
        rest = rest[1:]
    fields = []
    while rest:
        end = 2 + int.from_bytes(rest[:2], "big")
        fields.append(rest[2:end].decode())
        rest = rest[end:]
        if v5 and len(fields) == 1:
            assert rest[0] == 0, "no will properties"
            rest = rest[1:]
    credentials = [text for text in (username, password) if text]
    assert fields == ["client", "a/status", "gone", *credentials]


@pytest.mark.parametrize(
    ("packet", "v5", "code", "maximum"),
    [
        (b"\x20\x02\x00\x00", False, 0x00, None),
        (b"\x20\x02\x00\x05", False, 0x87, None),
        (b"\x20\x03\x00\x00\x00", True, 0x00, None),
        (b"\x20\x06\x00\x00\x03\x21\x00\x05", True, 0x00, 5),
        (b"\x20\x02\x00\x01", True, 0x84, None),
        (b"\x20\xcb\x01\x00\x87\xc7\x01\x1f\x00\xc4" + b"x" * 196, True, 0x87, None),
    ],
)
def test_a_connack_in_any_pieces(packet: bytes, v5: bool, code: int, maximum: int | None) -> None:
    for size in range(len(packet)):
        assert connack(packet[:size], v5=v5) is None
    answer = connack(packet + b"\xd0\x00", v5=v5)
    assert answer is not None
    assert answer[0].value == code
    assert getattr(answer[1], "ReceiveMaximum", None) == maximum
    assert answer[2] == b"\xd0\x00"


def test_another_answer_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        connack(b"SSH-2.0", v5=False)
    with pytest.raises(ProtocolError):
        connack(b"\x20\x04\x00\x00\x01\xfe", v5=True)


def test_what_runs_out_is_named_with_the_number_that_fit() -> None:
    ports = exhausted(OSError(errno.EADDRNOTAVAIL, "x"), 28_231, 50_000)
    files = exhausted(OSError(errno.EMFILE, "x"), 1000, 5000)
    assert ports is not None
    assert ports.permanent
    assert "source ports" in str(ports)
    assert str(ports).endswith("28231 of 50000 connections fit")
    assert "file descriptors" in str(files)
    assert exhausted(ConnectionRefusedError(errno.ECONNREFUSED, "x"), 0, 1) is None


def scattered(links: list[int], qos: int = 0) -> Scatter:
    n = len(links)
    bodies = [f"{i}".encode() for i in range(n)]
    messages = Messages(np.zeros(n, np.intp), bodies, np.ones(n, np.intp), np.full(n, 10))
    frames = Frames(["t"], qos=qos, retain=False, properties=[b""])
    return Scatter(
        messages,
        np.array(links),
        frames,
        qos=qos,
        max_packet=100,
        next_id=np.array([65_535, 7, 1]),
    )


def test_each_connection_gets_its_messages_in_order() -> None:
    scatter = scattered([1, 0, 1, 0, 2])
    assert list(scatter.shares()) == [(0, 0, 2), (1, 2, 4), (2, 4, 5)]
    assert scatter.block(0, 2) == b"\x30\x04\x00\x01t1\x30\x04\x00\x01t3"
    with_ids = scattered([1, 0, 1, 0, 2], qos=1)
    assert with_ids.block(0, 2) == b"\x32\x06\x00\x01t\xff\xff1\x32\x06\x00\x01t\x00\x013"


def test_the_receipt_stays_in_the_batchs_order() -> None:
    scatter = scattered([1, 0, 1, 0, 2])
    assert scatter.settle(2, 4, DELIVERED) == 2
    receipt = RecordingReceipt(50)
    scatter.settle(0, 1, NOT_CONNECTED)
    scatter.report(MessageAccount(receipt), resend=False)
    assert (receipt.delivered_rows, receipt.dropped_rows, receipt.left) == (20, 10, 20)
    again = RecordingReceipt(50)
    scatter.report(MessageAccount(again), resend=True)
    assert (again.delivered_rows, again.left) == (10, 40), "written again from the first lost on"


def test_what_of_a_block_was_cut_off_counts_as_never_sent() -> None:
    scatter = scattered([0, 0, 0, 0])
    block = scatter.block(0, 4)
    link = Link(0, first=0, given=4, end=4, open=4)
    link.out = (block + b"\xc0\x00")[len(block) // 2 + 1 :]
    scatter.lose(link, qos=0)
    receipt = RecordingReceipt(40)
    scatter.report(MessageAccount(receipt), resend=False)
    assert (receipt.unconfirmed_rows, receipt.dropped_rows) == (20, 20)
    assert link.open == 0
