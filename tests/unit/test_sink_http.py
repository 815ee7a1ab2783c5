"""The transport `http` and a real HTTP server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, Framing, TransportError
from gridsim.testing import (
    REFUSED_DER,
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.formats.json import Json
from gridsim_plugins.sinks.http.post import Http
from tests.fixtures.http_receiver import HttpReceiver
from tests.fixtures.outages import deliver_through_outage


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    made.start()
    yield made
    made.kill()


def made(receiver: HttpReceiver, batch: Batch, framing: Framing = "der", **settings: Any) -> Http:
    run = make_run(batch.roster)
    own = Http.Settings.model_validate({"url": receiver.url} | settings)
    return Http(own, Json(Json.Settings(), framing, run.roster), run)


def write(transport: Http, batch: Batch) -> RecordingReceipt:
    transport.connect()
    receipt = RecordingReceipt(len(batch))
    try:
        transport.write(batch, receipt)
    finally:
        transport.close()
    return receipt


@pytest.mark.parametrize(("framing", "bodies"), [("der", [4, 2]), ("project", [2, 2])])
def test_messages_are_sent_in_arrays(
    receiver: HttpReceiver, framing: Framing, bodies: list[int]
) -> None:
    batch = make_batch(ticks=2)
    settings = {"token": "a-token", "gzip": True, "headers": {"X-Site": "7"}}
    transport = made(receiver, batch, framing, rows_per_request=4, **settings)
    assert write(transport, batch).delivered_rows == 6
    assert [len(json.loads(body)) for body in receiver.bodies.values()] == bodies
    rows = receiver.messages
    if framing == "project":
        rows = [row for message in rows for row in message]
    assert [row["der_id"] for row in rows] == ["DER_0", "DER_1", "DER_2"] * 2
    assert receiver.headers["Authorization"] == "Bearer a-token"
    assert receiver.headers["X-Site"] == "7"
    assert receiver.headers["Content-Type"] == "application/json"


def test_an_answer_that_is_lost_repeats_the_key(receiver: HttpReceiver) -> None:
    batch = make_batch(ticks=2)
    transport = made(receiver, batch, rows_per_request=3)
    transport.connect()
    receiver.hangs_up = 1
    receipt = RecordingReceipt(6)
    with pytest.raises(TransportError):
        transport.write(batch, receipt)
    assert receipt.left == 6
    transport.close()
    assert write(transport, batch).delivered_rows == 6
    assert (receiver.repeated, len(receiver.messages)) == (1, 6)


def test_a_connection_that_was_closed_while_idle_is_opened_again(receiver: HttpReceiver) -> None:
    batch = make_batch()
    transport = made(receiver, batch)
    transport.connect()
    for _ in range(2):
        receipt = RecordingReceipt(3)
        transport.write(batch, receipt)
        assert receipt.delivered_rows == 3
        receiver.kill()
        receiver.start()
    transport.close()


def test_the_reading_that_is_refused_is_dropped_with_its_reason(receiver: HttpReceiver) -> None:
    batch = make_batch(ticks=4)
    receiver.refused, receiver.status = b'"DER_1"', 413
    receipt = write(made(receiver, batch), batch)
    assert (receipt.delivered_rows, receipt.dropped_rows) == (8, 4)
    assert set(receipt.reasons) == {"refused by the server: 413 Request Entity Too Large"}
    receiver.bodies.clear()
    receipt = write(made(receiver, batch, "project"), batch)
    assert (receipt.delivered_rows, receipt.dropped_rows) == (4, 8), "with its whole message"


@pytest.mark.parametrize(
    ("status", "permanent"), [(401, True), (404, True), (301, True), (500, False), (429, False)]
)
def test_other_answers_keep_the_readings(
    receiver: HttpReceiver, status: int, permanent: bool
) -> None:
    receiver.answer = status, {}
    transport = made(receiver, make_batch())
    with pytest.raises(TransportError, match=f"the server answers {status} .*: because") as found:
        write(transport, make_batch())
    assert found.value.permanent == permanent


def test_it_waits_as_long_as_the_server_asks(receiver: HttpReceiver) -> None:
    receiver.answer = 503, {"Retry-After": "30"}
    transport = made(receiver, make_batch())
    with pytest.raises(TransportError, match="503"):
        write(transport, make_batch())
    with pytest.raises(TransportError, match="asked to wait 30 s longer"):
        transport.connect()


def test_the_server_is_killed_and_comes_back(receiver: HttpReceiver) -> None:
    roster = make_roster([2] * 100)
    transport = made(receiver, make_batch(roster), rows_per_request=70)
    counters = deliver_through_outage(transport, roster, kill=receiver.kill, start=receiver.start)
    assert (counters.accepted, counters.delivered, counters.reconnects) == (3000, 3000, 1)
    keys = {(row["der_id"], row["timestamp"]) for row in receiver.messages}
    assert (len(keys), len(receiver.messages)) == (3000, 3000)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"url": "ftp://x"}, "must be an address such as"),
        ({"url": "http://me:secret@x/"}, "must not have credentials"),
        ({"url": "http://x/a b"}, "without spaces"),
        ({"url": "http://example.org", "token": "a-token"}, "would be sent to example.org unencry"),
        ({"username": "me", "token": "a-token"}, "use either a token"),
        ({"password": "secret-1"}, "needs a username"),
        ({"headers": {"X": "a\r\nb"}}, "must be printable"),
    ],
)
def test_wrong_settings_are_errors(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Http.Settings.model_validate({"url": "http://127.0.0.1"} | settings)


def test_an_array_needs_json() -> None:
    run = make_run()
    with pytest.raises(ValueError, match="an array needs a format of JSON"):
        Http(
            Http.Settings(url="http://x"),
            PlainFormat(Http.Settings(url="http://x"), "der", run.roster),
            run,
        )


class TestContract(TransportContract):
    transport = Http

    @pytest.fixture(autouse=True)
    def _running(self, receiver: HttpReceiver) -> None:
        self.receiver = receiver

    receiver: HttpReceiver

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"url": self.receiver.url, "body": "lines", "token": "secret-token"}

    def received(self, tmp_path: Path) -> list[bytes]:
        return b"".join(self.receiver.bodies.values()).splitlines()

    def refusing(self, tmp_path: Path) -> Mapping[str, Any]:
        self.receiver.refused = REFUSED_DER.encode()
        return self.target(tmp_path)
