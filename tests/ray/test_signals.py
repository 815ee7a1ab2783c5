"""Signals to the driver of a run on Ray: Ray has handlers of its own, and many processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.ray.fleet import FLEET, actors, engine, gridsim, is_alive, records

LEFT_S = 30.0


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_signal_ends_the_run_and_its_processes(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace("speed = 0", "speed = 60"))
    run = gridsim(tmp_path, "--duration", "5h", *engine("ray", 2))
    until = time.monotonic() + 120
    while not any(records(tmp_path)):
        assert time.monotonic() < until, run.poll()
        time.sleep(0.2)
    shards = actors(run.pid)
    assert len(shards) == 2
    os.kill(run.pid, number)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == status, output
    if number != signal.SIGKILL:
        sent = sum(1 for _ in records(tmp_path))
        assert f"file: {sent:,} accepted = {sent:,} delivered" in output
    until = time.monotonic() + LEFT_S
    while any(map(is_alive, shards)):
        assert time.monotonic() < until, "the shards outlive their driver"
        time.sleep(0.2)
