"""The transport `parquet` and an object storage: moto's S3, which is killed and comes back."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gridsim.testing import PlainFormat, make_roster, make_run
from gridsim_plugins.sinks.parquet import Parquet
from gridsim_plugins.sinks.parquet.settings import ParquetSettings
from tests.fixtures.outages import deliver_through_outage
from tests.fixtures.ports import free_port

DEADLINE_S = 60.0


class S3:
    """moto's server in a process of its own; it forgets its objects when it is killed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < until
                time.sleep(0.1)
        request = urllib.request.Request(f"{self.url}/readings", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_S)


def test_the_storage_is_killed_and_comes_back(tmp_path: Path) -> None:
    s3fs = pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    options: dict[str, Any] = {"endpoint_url": server.url} if (server := S3()) else {}
    settings = {
        "url": "s3://readings/fleet",
        "access_key": "test",
        "secret_key": "secret-key",
        "storage_options": options,
        "journal": str(tmp_path / "journal"),
        "rows_per_file": 5000,
        "columns": ["der_id", "timestamp"],
    }
    roster = make_roster([2] * 500)
    run = make_run(roster)
    transport = Parquet(
        ParquetSettings.model_validate(settings), PlainFormat(ParquetSettings(), "der", roster), run
    )
    server.start()
    before = 0

    def kill() -> None:
        # moto keeps its objects in memory: read them before it is killed.
        nonlocal before
        before = count(files)
        server.kill()

    try:
        files = s3fs.S3FileSystem(key="test", secret="secret-key", endpoint_url=server.url)
        counters = deliver_through_outage(
            transport, roster, kill=kill, start=server.start, batches=30, down=(12, 18)
        )
        assert (counters.accepted, counters.delivered) == (30_000, 30_000)
        assert before == 10_000
        assert before + count(files) == 30_000
        assert [path.name for path in (tmp_path / "journal").iterdir()] == ["lock"]
    finally:
        server.kill()


def count(files: Any) -> int:
    """Return the number of rows in all files."""
    files.invalidate_cache()
    total = 0
    for path in files.glob("readings/fleet/*/*.parquet"):
        with files.open(path) as file:
            total += pq.read_metadata(file).num_rows
    return total
