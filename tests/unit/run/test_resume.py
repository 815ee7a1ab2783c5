"""A run that was killed and resumed has the outputs of an undisturbed run."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.lives import HEAD, SMALL, Asked, Lives, digests

TICKS = 24
SMALL_TICKS = 10
COUNTER = itertools.count()
START = "2026-06-21T21:00:00Z"
"""In the evening of the site: the sun is up, and cars are plugged in."""
CHECKPOINTS = (8, 16)
KILLS = (0, 1, 7, 8, 9, 15, 16, 17, 23, 24)
FORMAT = """
format = { type = "json", extra_fields = ["energy_export_kwh", "session_kwh", "seq"] }
"""
HOMES = """
[[projects]]
id = "A{n}"
count = 2
contract_threshold = 2.0
load = { type = "constant", kw = 2.5 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 6.0
report_every_s = 120
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
report_on_change = { current_output = 0.05 }
[[projects.ders]]
id = "{project_id}_EV"
type = "ev_charger"
nameplate_capacity = 7.0
[[events]]
id = "evening"
after_s = 300
duration_s = 360
notice_s = 120
ramp_s = 60
compliance = { uniform = [0.7, 1.3] }
[[faults]]
type = "offline"
readings = "stored"
ders = ["*_PV"]
after_s = 240
duration_s = 420
[[faults]]
type = "delay"
delay_s = 150
probability = 0.3
[[faults]]
type = "truncate"
probability = 0.2
"""
ASKED: Asked = {
    2: ("A1_BAT", {"id": "a", "command": "set_power", "value": -3, "ramp_s": 400}),
    4: ("A1_BAT", {"id": "b", "command": "nonsense"}),
    7: ("A2_BAT", {"id": "c", "command": "target_soc", "value": 60}),
    8: ("", {"id": "d", "command": "call_event", "event": "peak", "duration_s": 300,
             "target_kw": 1.5}),
    9: ("A1_PV", {"id": "e", "command": "inject_fault", "fault": "cut", "type": "malformed",
                  "probability": 0.8, "duration_s": 120}),
    14: ("A1_BAT", {"id": "a", "command": "set_power", "value": 1}),
    17: ("", {"id": "f", "command": "clear_fault", "fault": "delay"}),
}  # fmt: skip


def _command(tick: int) -> dict[str, Any]:
    return {"id": f"c-{tick}", "command": "set_power", "value": 1 - tick / 4}


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    text = HEAD + FORMAT + HOMES
    lives = Lives(tmp_path_factory.mktemp("lives"), text.replace("now", START), ASKED)
    lives.live(TICKS, checkpoints=CHECKPOINTS, kills=KILLS)
    return lives


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    """A run with a checkpoint every three ticks, killed before each of its ticks."""
    asked = {tick: ("HOME_B", _command(tick)) for tick in range(0, SMALL_TICKS, 2)}
    small = Lives(tmp_path_factory.mktemp("small"), HEAD + SMALL.replace("BAT", "HOME_B"), asked)
    every = range(SMALL_TICKS + 1)
    small.live(SMALL_TICKS, checkpoints=every[3::3], kills=every)
    return small


@given(first=st.integers(0, SMALL_TICKS), second=st.integers(0, SMALL_TICKS), newest=st.booleans())
@settings(max_examples=8)
def test_any_two_kills_leave_no_trace(small: Lives, first: int, second: int, newest: bool) -> None:
    """Also if the newest checkpoint is damaged; the second kill may come where the first did."""
    folder = Path(shutil.copytree(small.killed(first), f"{small.first}-{next(COUNTER)}"))
    states = sorted((folder / "ck").glob("*.state"))
    if newest and len(states) > 1:
        states[-1].write_bytes(states[-1].read_bytes()[:-1])
    with small.resumed(folder) as run:
        small.steps(run, first, max(run.status().tick, second))
        run.confirm()
        folder = Path(shutil.copytree(folder, f"{small.first}-{next(COUNTER)}"))
    with small.resumed(folder) as run:
        small.steps(run, max(first, second), SMALL_TICKS)
    assert digests(folder) == digests(small.first)


@pytest.mark.parametrize("tick", KILLS)
def test_the_outputs_are_those_of_an_undisturbed_run(lives: Lives, tick: int) -> None:
    """Killed before the first tick, around a checkpoint, at the last tick and after it."""
    run = lives.resume(tick, TICKS)
    assert digests(lives.killed(tick)) == digests(lives.first)
    resumed = run.status().resumed
    assert resumed is not None
    assert (resumed.tick, resumed.handed_on) == (tick // 8 * 8 if tick < 24 else 16, tick)
    assert (resumed.missed, resumed.lost) == (0, 0)
    assert lives.status is not None
    assert run.status().events == lives.status.events
    assert run.status().readings == lives.status.readings
