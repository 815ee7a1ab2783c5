"""The OpenAPI description, tried by schemathesis against a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gridsim_plugins.views.web.server import WebServer
from gridsim_plugins.views.web.settings import WebSettings
from tests.fixtures.controls import SteppedControl
from tests.fixtures.runs import HEAD, HOMES, Bench

# A refusal by the run's state or a flood is not a fault of the description.
CHECKS = """
[checks]
positive_data_acceptance.expected-statuses = [200, 202, 304, 404, 409, 422, 429, 503]
negative_data_rejection.expected-statuses = [400, 403, 404, 405, 409, 413, 415, 422, 429]
"""


def test_schemathesis_finds_no_fault(tmp_path: Path) -> None:
    control = SteppedControl(Bench(tmp_path).plan(HEAD + HOMES)[0])
    # A paused run answers an instruction at once, before its acknowledgement.
    control.state = "paused"
    server = WebServer(WebSettings(port=0), control)
    server.start()
    (tmp_path / "schemathesis.toml").write_text(CHECKS)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
    command += ["run", f"{server.url}/openapi.json", "--exclude-path", "/api/v1/stream"]
    command += ["--phases", "fuzzing", "--max-examples", "1", "--seed", "1"]
    command += ["--request-timeout", "15", "--no-color"]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    finally:
        server.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "21 selected / 22 total" in done.stdout
