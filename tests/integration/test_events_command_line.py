"""The lines about events in the log of the command, and at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.prepared import gridsim

CONFIG = """
[simulation]
speed = 0
start = 2026-07-01T20:00:00Z
scenarios = ["calls/summer.toml"]

[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 2.0
load = { type = "constant", kw = 3.0 }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
strategy = "idle"

[[transports]]
type = "stdout"
"""
EVENTS = """
[[events]]
id = "kept"
projects = ["HOME_1", "HOME_2"]
after_s = 60
notice_s = 30
duration_s = 600
compliance = 1.1

[[events]]
id = "broken"
projects = ["HOME_3"]
after_s = 300
duration_s = 900
compliance = 0.8
"""


def test_events_are_in_the_log_and_in_the_account_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "summer.toml").write_text(EVENTS)
    path = tmp_path / "fleet.toml"
    path.write_text(CONFIG)
    done = gridsim("--config", path, "--duration", "15m")
    assert done.returncode == 0, done.stderr
    said = [line.split("INFO")[1].strip() for line in done.stderr.splitlines() if " event " in line]
    kept = "0.73 of 0.67 kWh delivered by 2 projects, 0 in violation"
    broken = "0.27 of 0.33 kWh delivered by 1 project, 1 in violation, 1 interrupted"
    assert said == [
        "event kept: announced for 2026-07-01 17:01:00-03:00, 30 s ahead, to 2 projects",
        "event kept: begins, 10 min, 2 projects, target 4.00 kW",
        "event broken: begins, 15 min, 1 project, target 2.00 kW",
        f"event kept: ended, {kept}",
        f"event broken: cut off, {broken}",
        "event broken: HOME_3 fell short by 0.07 kWh (compliance 0.80: asked 1.60 kW)",
        f"event kept: {kept}",
        f"event broken: {broken}",
    ]
    outputs = [json.loads(line)["current_output"] for line in done.stdout.splitlines()]
    assert len(outputs) == 3 * 900
    sums = [sum(outputs[home::3]) for home in range(3)]
    assert sums == pytest.approx([600 * 2.2, 600 * 2.2, 600 * 1.6])
