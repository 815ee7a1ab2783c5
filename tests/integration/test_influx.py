"""The transport `influx` and a real InfluxDB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, TransportError
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.sinks.http.influx import Influx
from tests.fixtures.http_receiver import HttpReceiver
from tests.fixtures.outages import deliver_through_outage, run_through_outage
from tests.fixtures.ports import free_port

DEADLINE_S = 60.0
CONFIGS = Path(__file__).parents[2] / "configs"
POINTS = "SELECT count(current_output) FROM readings"
CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""


class InfluxServer:
    """influxd, version 1, which a test can kill and start again."""

    def __init__(self, command: str, folder: Path) -> None:
        self.port = free_port()
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "influxdb.conf"
        self._config.write_text(CONFIG.format(rpc=free_port(), port=self.port, folder=folder))

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, "-config", str(self._config)], stdout=log, stderr=log
            )
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.run("CREATE DATABASE fleet")
                return
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < until, (self._folder / "log").read_text()
                time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def run(self, query: str) -> list[dict[str, Any]]:
        """Run a statement, and return its rows."""
        data = urllib.parse.urlencode({"q": query, "db": "fleet", "epoch": "ms"}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query", data, 30) as answer:
            result = json.load(answer)["results"][0]
        series = result.get("series", [])
        return [
            dict(zip(one["columns"], row, strict=True)) for one in series for row in one["values"]
        ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """Return a running server; without InfluxDB a test skips, or fails if it is required."""
    command = shutil.which("influxd")
    if command is None:
        if os.environ.get("GRIDSIM_REQUIRE_INFLUXDB") == "1":
            pytest.fail("GRIDSIM_REQUIRE_INFLUXDB is set, but InfluxDB is not installed")
        pytest.skip("InfluxDB is not installed")
    started = InfluxServer(command, tmp_path_factory.mktemp("influxdb"))
    started.start()
    yield started
    started.kill()


@pytest.fixture(autouse=True)
def _empty(server: InfluxServer) -> None:
    server.run("DROP DATABASE fleet")
    server.run("CREATE DATABASE fleet")


def made(server: InfluxServer, batch: Batch, **settings: Any) -> Influx:
    run = make_run(batch.roster)
    own = {"url": f"http://127.0.0.1:{server.port}", "database": "fleet"} | settings
    chosen = Influx.Settings.model_validate(own)
    return Influx(chosen, PlainFormat(chosen, "der", run.roster), run)


def write(transport: Influx, batch: Batch) -> RecordingReceipt:
    transport.connect()
    receipt = RecordingReceipt(len(batch))
    try:
        transport.write(batch, receipt)
    finally:
        transport.close()
    return receipt


def test_texts_are_tags_and_the_rest_are_fields(server: InfluxServer) -> None:
    batch = make_batch(make_roster((2, 1), {"session_id": "1"}), ticks=2)
    assert write(made(server, batch, gzip=True), batch).delivered_rows == 6
    rows = server.run("SELECT * FROM readings WHERE der_id = 'DER_2'")
    assert [row["time"] for row in rows] == batch.timestamp_ms[2::3].tolist()
    first = rows[0]
    assert (first["project_id"], first["type"], first["units"]) == ("PRJ_1", "solar", "kW")
    assert (first["current_output"], first["is_online"], first["session_id"]) == (-0.76, True, 1)
    assert first.get("current_soc") is None
    tags = {row["tagKey"] for row in server.run("SHOW TAG KEYS FROM readings")}
    assert tags == {"der_id", "project_id", "type", "units"}
    # A point that is written twice is there once.
    write(made(server, batch), batch)
    assert server.run("SELECT count(current_output) FROM readings")[0]["count"] == 6


def test_points_that_the_server_refuses_are_dropped(server: InfluxServer) -> None:
    batch = make_batch()
    write(made(server, batch, columns=["der_id", "seq"], rename={"seq": "n"}), batch)
    chosen = {"columns": ["der_id", "baseline"], "rename": {"baseline": "n"}}
    receipt = write(made(server, batch, **chosen), batch)
    assert receipt.dropped_rows == 3
    assert set(receipt.reasons) == {"refused by the server: 400 Bad Request"}


def test_a_database_that_is_missing_is_a_permanent_error(server: InfluxServer) -> None:
    with pytest.raises(TransportError, match=r"404 Not Found: .*nowhere") as found:
        write(made(server, make_batch(), database="nowhere"), make_batch())
    assert found.value.permanent


def test_the_server_is_killed_and_comes_back(server: InfluxServer) -> None:
    roster = make_roster([2] * 200)
    transport = made(server, make_batch(roster), rows_per_request=150)
    counters = deliver_through_outage(transport, roster, kill=server.kill, start=server.start)
    assert (counters.accepted, counters.delivered, counters.reconnects) == (6000, 6000, 1)
    assert server.run(POINTS)[0]["count"] == 6000


def test_the_server_is_killed_and_comes_back_in_a_run(
    server: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFLUX_URL", f"http://127.0.0.1:{server.port}")
    status = run_through_outage(
        CONFIGS / "influx.toml",
        'transports.0.database="fleet"',
        kill=server.kill,
        start=server.start,
    )
    assert (status.accepted, status.delivered, status.reconnects) == (300, 300, 1)
    assert server.run(POINTS)[0]["count"] == 300


def test_version_2_gets_bucket_organization_and_token() -> None:
    receiver = HttpReceiver()
    run = make_run()
    chosen = Influx.Settings.model_validate(
        {"url": f"{receiver.url}/", "bucket": "b 1", "org": "o", "token": "secret-token"}
    )
    transport = Influx(chosen, PlainFormat(chosen, "der", run.roster), run)
    assert transport._client._path == "/in/api/v2/write?precision=ms&bucket=b+1&org=o"
    assert transport._client._headers["Authorization"] == "Token secret-token"
    with pytest.raises(ValueError, match="set either database"):
        Influx.Settings.model_validate({"database": "d", "bucket": "b"})


class TestContract(TransportContract):
    transport = Influx

    @pytest.fixture(autouse=True)
    def _running(self, server: InfluxServer) -> None:
        self.server = server

    server: InfluxServer

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        url = f"http://127.0.0.1:{self.server.port}"
        return {"url": url, "database": "fleet", "username": "u", "password": "secret-1"}

    def received(self, tmp_path: Path) -> list[bytes]:
        rows = self.server.run("SELECT * FROM readings")
        found = sorted(rows, key=lambda row: (row["time"], row["der_id"]))
        return [f"{row['der_id']}@{row['time']}".encode() for row in found]
