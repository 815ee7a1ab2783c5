"""The web view's server over real sockets: ports, the stream, its end, slow clients."""

from __future__ import annotations

import json
import resource
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from loguru import logger

from gridsim.api import Entry
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim_plugins.views.web import overload
from gridsim_plugins.views.web import server as server_module
from gridsim_plugins.views.web import stream as stream_module
from gridsim_plugins.views.web.endpoints import ENDPOINTS
from gridsim_plugins.views.web.server import WebServer
from gridsim_plugins.views.web.settings import WebSettings
from gridsim_plugins.views.web.site import Page
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench
from tests.fixtures.sse import StreamClient
from tests.fixtures.web import get, served

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> SteppedControl:
    scenario, _ = Bench(tmp_path_factory.mktemp("web")).plan(HEAD + HOMES)
    return SteppedControl(scenario)


@pytest.fixture
def server(control: SteppedControl) -> Iterator[WebServer]:
    with served(control) as server:
        yield server


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="WARNING")
    yield lines
    logger.remove(sink)


def test_the_stream_has_the_numbers_of_each_snapshot(
    server: WebServer, control: SteppedControl
) -> None:
    client = StreamClient(server.url)
    assert "content-type: text/event-stream" in client.headers
    events = client.events()
    for _ in range(3):
        control.advance()
        snapshot = control.snapshot()
        server.show(snapshot)
        frame = next(data for name, data in events if name == "frame")
        while frame["tick"] < snapshot.tick:
            frame = next(data for name, data in events if name == "frame")
        assert frame["kw"] == {type: round(kw, 3) for type, kw in snapshot.kw.items()}
    control.add_entries([Entry(n, 1, "event", "begins", "e", "x" * 999) for n in range(100)])
    server.show(control.snapshot())
    news = next(data for name, data in events if name == "entries")
    assert ([item["number"] for item in news["items"]], news["missed"]) == (
        list(range(80, 100)),
        80,
    )
    assert {len(item["text"]) for item in news["items"]} == {200}
    client.close()


def test_the_end_closes_every_stream_at_once(
    control: SteppedControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time after which what is still open is closed by force, which nothing waits for here.
    monkeypatch.setattr(server_module, "_SHUTDOWN_S", 30.0)
    monkeypatch.setattr(server_module, "_JOIN_S", 60.0)
    server = WebServer(WebSettings(port=0), control)
    server.start()
    clients = [StreamClient(server.url) for _ in range(5)]
    server.show(control.snapshot())
    for client in clients:
        client.until("frame")
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 20.0
    for client in clients:
        assert [name for name, _ in client.events()][-1] == "end"
        client.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 1)


def test_a_client_that_does_not_read_is_disconnected_and_delays_no_other(
    server: WebServer, control: SteppedControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = b'event: frame\ndata: "%s"\n\n' % (b"x" * 200_000)
    with StreamClient(server.url), StreamClient(server.url) as quick:
        monkeypatch.setattr(stream_module, "encoded", lambda *_: large)
        shown = 0
        while not server._stream.dropped and shown < 500:
            server.show(control.snapshot())
            quick.until("frame")
            shown += 1
        assert server._stream.dropped == 1
        # The events that wait for a client are few, and so are the bytes in the sockets.
        assert shown < 100


def test_a_taken_port_leads_to_the_next(control: SteppedControl) -> None:
    first = WebServer(WebSettings(port=0), control)
    first.start()
    port = urlsplit(first.url).port
    assert port is not None
    second = WebServer(WebSettings(port=port), control)
    second.start()
    try:
        taken = urlsplit(second.url).port
        assert taken is not None
        assert port < taken <= port + 20
        assert json.loads(get(f"{second.url}/healthz")) == {
            "state": "running",
            "ticking": True,
            "backfilling": False,
        }
    finally:
        first.close()
        second.close()


def test_an_address_that_is_not_ours_is_an_error(control: SteppedControl) -> None:
    with pytest.raises(OSError, match=r"cannot listen at 192\.0\.2\.1:8080"):
        WebServer(WebSettings(host="192.0.2.1"), control).start()


def test_no_free_port_is_an_error(
    control: SteppedControl, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_TRIES", 1)
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(OSError, match=f"no port from {port} to {port} is free"):
        WebServer(WebSettings(port=port), control).start()


CANARY = "c4n4ry-5ecr3t-of-a-broker"
SECRETS = """
[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = 9
startup = "retry"
username = "user"
password = "${GRIDSIM_CANARY}"
[[views]]
type = "web"
port = 0
token = "${GRIDSIM_WEB_CANARY}"
"""


def test_no_answer_has_a_secret_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDSIM_CANARY", CANARY)
    monkeypatch.setenv("GRIDSIM_WEB_CANARY", CANARY)
    path = tmp_path / "config.toml"
    path.write_text(HEAD + HOMES + SECRETS)

    with Run(make_plan(Options(config=path)), clock="manual") as run:
        run.advance(3)
        url = run.status().views[0].where
        assert CANARY not in url
        headers = {"Authorization": f"Bearer {CANARY}", "Content-Type": "application/json"}

        seen: list[bytes] = []
        refused: list[int] = []

        def ask(path: str, body: object = None) -> bytes:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url + path, data, headers)
            try:
                with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                    return bytes(answer.read()) + str(answer.headers).encode()
            except urllib.error.HTTPError as error:
                with error:
                    refused.append(error.code)
                    return error.read()

        for endpoint in ENDPOINTS:
            if endpoint.method == "GET" and endpoint.handler not in ("stream", "instruction"):
                id = "HOME_1_BAT" if "devices" in endpoint.path else "HOME_1"
                seen.append(ask(endpoint.path.replace("{id:path}", id)))
        order = {"target": "HOME_1_BAT", "command": "set_power", "value": 1}
        seen.append(ask("/api/v1/instructions?wait_s=0", order))
        seen.append(ask("/openapi.json"))
        files = ["/", *(f"/static/{path}" for path in Page()._files)]
        seen += [ask(path) for path in files]
        assert refused == [], "every file of the page is answered"
        # Errors answer with parts of the request, and the messages of a device with what was sent.
        seen += [ask(path) for path in ("/static/none", "/none", "/api/v1/devices/none")]
        seen.append(ask("/api/v1/instructions", {**order, "command": "none"}))
        seen.append(ask("/api/v1/equivalents", order))
        seen.append(ask("/api/v1/control", {"action": "none"}))
        authorization = f"Authorization: Bearer {CANARY}\r\n"
        with StreamClient(url, request_headers=authorization) as client:
            seen.append(json.dumps(client.until("frame")).encode())
        seen.append(json.dumps(run.status().to_dict()).encode())
    assert len(seen) > 15 + len(files)
    assert not [status for status in refused if status >= 500]
    assert b'"mqtt"' in seen[2]
    assert not [answer for answer in seen if CANARY.encode() in answer]


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
def test_a_connection_without_a_whole_request_is_closed(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(overload, "_REQUEST_S", 0.05)
    port = urlsplit(server.url).port
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.sendall(sent)
        assert client.recv(4096) == b""


def test_the_oldest_silent_connection_makes_room_for_a_new_one(
    control: SteppedControl, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setattr(server_module, "most_connections", lambda: 2)
    with served(control) as server, StreamClient(server.url):
        where = ("127.0.0.1", urlsplit(server.url).port)
        with socket.create_connection(where, DEADLINE_S) as silent:
            # With the open stream there is room for one, and this request needs it.
            assert json.loads(get(f"{server.url}/api/v1/status"))
            assert silent.recv(4096) == b""
    assert log[0] == "web: requests refused: 1 connections closed, because more than 2 were open"


def test_a_full_server_is_logged(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setattr(stream_module, "MAX_CLIENTS", 0)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{server.url}/api/v1/stream")
    assert log == ["web: requests refused: 1 without room (503)"]


def test_the_health_of_a_run_without_ticks_is_not_a_refusal(
    server: WebServer, control: SteppedControl, log: list[str]
) -> None:
    control.ticking = False
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{server.url}/healthz")
    assert log == []


def test_half_of_the_file_descriptors_are_left_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((256, 128), (1024, 512), (1999, 999), (65_536, 1000), (-1, 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert overload.most_connections() == most


def test_what_is_refused_is_logged_once_in_ten_seconds(log: list[str]) -> None:
    now = [100.0]
    refusals = overload.RefusalLog(monotonic=lambda: now[0])
    for seconds in (0, 1, 8, 1, 1):
        now[0] += seconds
        refusals.note("too many")
    assert log == ["web: requests refused: 1 too many", "web: requests refused: 3 too many"]
    refusals.log()
    refusals.log()
    assert log[2:] == ["web: requests refused: 1 too many"]


def test_a_request_reloads_the_configuration_and_the_server_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = HEAD + HOMES + '[[views]]\ntype = "web"\nport = 0\n'
    path.write_text(text)

    def ask(action: str) -> tuple[int, bytes]:
        body = json.dumps({"action": action}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/api/v1/control", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    with Run(make_plan(Options(config=path)), clock="manual") as run:
        url = run.status().views[0].where
        path.write_text(text.replace("nameplate_capacity", "nameplate"))
        status, said = ask("reload")
        assert (status, b"config.toml:" in said) == (422, True)
        path.write_text(text.replace("HOME_", "OTHER_"))
        assert ask("reload")[0] == 200
        assert run.status().projects
        run.advance(1)
        deadline = time.monotonic() + DEADLINE_S
        while run.status().views[0].state != "up" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert run.status().views[0].where == url
        assert b"OTHER_1" in get(f"{url}/api/v1/projects")
