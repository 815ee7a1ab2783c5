"""The transport and the format of docs/outputs.md: the files of the example, which work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/webhook"
PAGE = (ROOT / "docs/outputs.md").read_text()
DEADLINE_S = 120


@pytest.mark.parametrize("name", ["webhook.py", "test_webhook.py", "webhook.toml"])
def test_the_page_shows_the_files_of_the_example(name: str) -> None:
    shown = re.findall(r"^```(?:python|toml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert (EXAMPLE / name).read_text() in shown


def test_they_keep_their_contracts() -> None:
    words = ["pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--rootdir", str(EXAMPLE), "test_webhook.py"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^1\d passed", done.stdout, re.MULTILINE)


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    lines: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            lines.extend(body.decode().splitlines())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made.server_port, lines
        made.shutdown()
        thread.join(DEADLINE_S)


def test_its_configuration_posts_every_reading(server: tuple[int, list[str]]) -> None:
    port, lines = server
    words = ["--config", str(EXAMPLE / "webhook.toml"), "--speed", "0", "--duration", "5s"]
    done = subprocess.run(
        [sys.executable, "-m", "gridsim", *words],
        env={**os.environ, "WEBHOOK_URL": f"http://127.0.0.1:{port}/write"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert "10 accepted = 10 delivered" in done.stderr
    assert len(lines) == 10
    battery = (
        r"der,der_id=HOME_BAT,project_id=HOME kw=-?\d+\.\d\d,online=True,threshold=0\.00 \d{13}"
    )
    assert re.fullmatch(battery, lines[0])
