"""A run with its page, as a user starts and interrupts it."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

from tests.fixtures import prepared
from tests.fixtures.runs import HOMES
from tests.fixtures.sse import StreamClient

DEADLINE_S = 60.0
CONFIG = """
[simulation]
tick_s = 1.0
speed = 1
[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"
[[transports]]
type = "file"
path = "out.jsonl"
[[views]]
type = "web"
port = 0
"""


def test_ctrl_c_with_open_pages_ends_and_abandons_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + HOMES)
    run = prepared.start("--config", config, stderr=subprocess.PIPE)
    assert run.stderr is not None
    log = []
    for line in run.stderr:
        log.append(line)
        if address := re.search(r"watch it at (http://\S+)", line):
            break
    else:
        raise AssertionError("".join(log))
    clients = [StreamClient(address[1]) for _ in range(3)]
    for client in clients:
        client.until("frame")
    run.send_signal(signal.SIGINT)
    rest = run.stderr.read()
    assert run.wait(DEADLINE_S) == 130
    run.stderr.close()
    assert "Traceback" not in rest
    assert "abandoning" not in rest
    for client in clients:
        assert [name for name, _ in client.events()][-1] == "end"
        client.close()
