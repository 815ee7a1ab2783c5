"""The contract tests of both, with a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from webhook import Influx, Webhook

from gridsim.testing import (
    REFUSED_DER,
    FormatContract,
    TransportContract,
    make_batch,
    make_roster,
)


class TestInflux(FormatContract):
    format = Influx
    framings = ("der",)

    def test_a_line(self) -> None:
        roster = make_roster([1])
        made = Influx(Influx.Settings(), "der", roster)
        [line] = made.encode(make_batch(roster)).bodies
        assert line.startswith(b"der,der_id=DER_0,project_id=PRJ_0 kw=-1.50,online=True,")


class TestWebhook(TransportContract):
    transport = Webhook

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.lines: list[bytes] = []
        self.refused = b""
        test = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refused = test.refused and test.refused in body
                if not refused:
                    test.lines.extend(body.splitlines())
                self.send_response(422 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            server.block_on_close = False
            self.port = server.server_port
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield
            server.shutdown()

    def target(self, tmp_path: Path) -> dict[str, str]:
        return {"url": f"http://127.0.0.1:{self.port}/write"}

    def refusing(self, tmp_path: Path) -> dict[str, str]:
        self.refused = REFUSED_DER.encode()
        return self.target(tmp_path)

    def received(self, tmp_path: Path) -> list[bytes]:
        return self.lines
