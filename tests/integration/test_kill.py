"""A run in real time that is killed with SIGKILL, and resumed: a process of its own."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.fixtures import prepared

CONFIG = """
[simulation]
tick_s = 0.05
duration_s = 2.5
[weather]
type = "clear"
[checkpoint]
path = "ck"
every_s = 1
[ledger]
path = "ledger-${START}.sqlite"
[[transports]]
type = "file"
path = "out.jsonl"
format = { type = "json", extra_fields = ["seq"] }
[[projects]]
id = "HOME"
load = { type = "constant", kw = 1.0 }
[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
"""
DEADLINE_S = 60
TICKS = 50


def test_a_killed_run_goes_on_at_the_present_and_states_its_gap(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(CONFIG)
    out = tmp_path / "out.jsonl"
    words = ("--config", "fleet.toml", "--resume")
    process = prepared.start(*words, cwd=tmp_path, env={"START": "1"})
    deadline = time.monotonic() + DEADLINE_S
    while not (out.exists() and out.read_bytes().count(b"\n") > 4):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE_S)
    done = prepared.gridsim(*words, cwd=tmp_path, env={"START": "2"})
    assert done.returncode == 0, done.stderr
    assert "resumed from the checkpoint of tick 0" in done.stderr
    seqs = [json.loads(line)["seq"] for line in out.read_text().splitlines()]
    assert seqs == sorted(set(seqs))
    with closing(sqlite3.connect(tmp_path / "ledger-1.sqlite")) as ledger:
        [(first, last)] = ledger.execute("SELECT first_missing, last_missing FROM resumptions")
        [fates] = ledger.execute("SELECT sum(rows) FROM fates")
        [batches] = ledger.execute("SELECT sum(rows) FROM batches")
    assert fates == batches == (TICKS,)
    assert seqs == [*range(first), *range(last + 1, TICKS)]
    assert f"gap: {last + 1 - first} reading" in done.stderr
    told = prepared.gridsim("verify", "ledger-1.sqlite", "out.jsonl", "--json", cwd=tmp_path)
    report = json.loads(told.stdout)
    assert report["complete"] is True
    assert report["unexplained"] == 0
    assert not (tmp_path / "ledger-2.sqlite").exists()
