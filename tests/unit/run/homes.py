"""The configuration of the runs, and what every file needs of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gridsim.running.run import Run

DEADLINE_S = 60.0

CONFIG = """
[simulation]
seed = 42
speed = 0
start = 2026-06-21T15:00:00Z

[[projects]]
id = "HOME"
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "GEN"
type = "generator"
nameplate_capacity = 5.0

[[transports]]
type = "file"
path = "OUT/out.jsonl"
"""

Make = Callable[..., Run]


def lines(tmp_path: Path) -> list[str]:
    return (tmp_path / "out.jsonl").read_text().splitlines()


def on_full(run: Run) -> list[str]:
    return [runner._policy.on_full for runner in run._workers.runners]
