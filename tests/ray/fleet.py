"""A small fleet of every kind, its output, and the processes of a run on Ray."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

FLEET = """
[simulation]
seed = 5
tick_s = 60.0
speed = 0
start = "2026-07-01T10:00:00Z"

[ledger]
path = "run.sqlite"

[[transports]]
type = "file"
path = "out-{shard}.jsonl"
format = { type = "json", extra_fields = ["seq"] }

[[projects]]
id = "HOME_{n:02}"
count = 14
contract_threshold = 1.0
load = { type = "household", annual_kwh = 8000 }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = { uniform = [3.0, 7.0] }
energy_capacity_kwh = 13.5

[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 6.0

[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
nameplate_capacity = 7.4

[[events]]
id = "peak"
start = "2026-07-01T12:00:00Z"
duration_s = 3600

[[faults]]
id = "gone"
type = "offline"
ders = ["HOME_0*_PV"]
start = "2026-07-01T11:00:00Z"
duration_s = 1800
"""


def gridsim(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a folder with `fleet.toml`."""
    return subprocess.Popen(
        [sys.executable, "-m", "gridsim", "--config", "fleet.toml", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def engine(name: str, shards: int) -> list[str]:
    return ["--set", f'execution.engine="{name}"', "--set", f"execution.shards={shards}"]


def finished(run: subprocess.Popen[str], timeout_s: float = 240.0) -> str:
    """Wait for the end of a run that succeeds, and return what it printed."""
    output, _ = run.communicate(timeout=timeout_s)
    assert run.returncode == 0, output
    return output


def records(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Yield device, tick and line of each record, in the order of its file."""
    for path in sorted(folder.glob("out-*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            yield record["der_id"], record["seq"], line


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of the published bytes of each device."""
    found: dict[str, Any] = defaultdict(hashlib.sha256)
    for device, _, line in records(folder):
        found[device].update(line + b"\n")
    return {device: digest.hexdigest() for device, digest in sorted(found.items())}


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query of the run's ledger."""
    with closing(sqlite3.connect(folder / "run.sqlite")) as ledger:
        return ledger.execute(query).fetchall()


def actors(driver: int) -> list[int]:
    """Return the process ids of the shards of a run on a local Ray, by parentage."""
    children: dict[int, list[int]] = defaultdict(list)
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text()
                names[int(entry.name)] = (entry / "cmdline").read_text()
            except OSError:
                continue
            children[int(status.rpartition(")")[2].split()[1])].append(int(entry.name))
    found, waiting = [], [driver]
    while waiting:
        own = children[waiting.pop()]
        waiting += own
        found += [one for one in own if names[one].startswith("ray::ShardActor")]
    return sorted(found)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
