"""`gridsim --repeat`: a run from its ledger, with what was asked of it, to the same bytes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Command, InjectFault, Period, Target, read_instruction
from gridsim.config.resolve import Flags
from gridsim.contracts.instructions import FLEET, CallEvent, ClearFault
from gridsim.ledger.schema import TRUTH
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.fixtures import prepared

PLUGIN = '''
from gridsim.api import DeviceFault, hookimpl


class Half(DeviceFault):
    """Half of the output."""

    def inject(self, tick, affected):
        affected.current_output *= 0.5


@hookimpl
def gridsim_register(register):
    register.fault("half", Half)
'''
CONFIG = """
[simulation]
seed = 5
speed = 0
start = "now"
plugins = ["./half.py"]
[ledger]
path = "{folder}/ledger.sqlite"
[[transports]]
type = "file"
path = "{folder}/first.jsonl"
[[sources]]
type = "mqtt"
port = 0
[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 2.0
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 40.0
[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0
"""
BAT = Target("HOME_1", "HOME_1_BAT")


@dataclass(frozen=True)
class Recording:
    """A run that was commanded, and its ledger."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "fleet.toml"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def repeat(self, *more: object) -> Any:
        words = ("--config", self.config, "--repeat", self.ledger)
        return prepared.gridsim(*words, *more, cwd=self.folder)

    def truth(self, ledger: str) -> dict[str, list[Any]]:
        with closing(sqlite3.connect(self.folder / ledger)) as database:
            return {t: database.execute(f"SELECT * FROM {t}").fetchall() for t in TRUTH}


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    made = Recording(tmp_path)
    (tmp_path / "half.py").write_text(PLUGIN)
    made.config.write_text(CONFIG.format(folder=tmp_path))
    # The start is "now": the ledger alone knows it.
    options = Options(config=made.config, flags=Flags(), overrides=("sources=[]",))
    with Run(make_plan(options), clock="manual") as run:
        run.advance(3)
        run.post(Command(BAT, "c-1", "set_power", -3.0, ramp_s=4.0, source="page"))
        run.post(Command(BAT, "c-1", "set_power", 1.0))
        periods = (Period(0.0, 1.0), Period(2.5, -1 / 3))
        run.post(Command(BAT, "c-2", "set_power", periods=periods, duration_s=5, stack_level=1))
        run.post(read_instruction(b"\xff odd", BAT))
        run.advance(4)
        run.post(CallEvent(FLEET, "e-1", "peak", {"duration_s": 10, "target_kw": 1.5}))
        run.post(InjectFault(FLEET, "f-1", "", {"type": "delay", "delay_s": 3}))
        run.post(InjectFault(BAT, "f-2", "cut", {"type": "truncate", "probability": 0.5}))
        run.post(InjectFault(BAT, "f-3", "", {"type": "half", "duration_s": 5}))
        run.advance(9)
        run.post(ClearFault(FLEET, "f-4", "delay"))
        run.advance(14)
    assert run.ledger_error is None
    return made


def test_it_makes_the_same_bytes(recording: Recording) -> None:
    again = ("ledger.path='again.sqlite'", 'transports=[{type="stdout"}]')
    done = recording.repeat(*(word for one in again for word in ("--set", one)))
    assert done.returncode == 0, done.stderr
    first = (recording.folder / "first.jsonl").read_bytes()
    assert len(first.splitlines()) == 30 * 6
    assert done.stdout.encode() == first
    # Opened no source.
    assert "commands by" not in done.stderr
    assert recording.truth("again.sqlite") == recording.truth("ledger.sqlite")


def test_it_leaves_the_ledger_that_it_repeats(recording: Recording) -> None:
    before = recording.ledger.read_bytes()
    done = recording.repeat("--set", "transports.0.path='second.jsonl'")
    assert done.returncode == 0, done.stderr
    folder = recording.folder
    assert (folder / "second.jsonl").read_bytes() == (folder / "first.jsonl").read_bytes()
    assert recording.ledger.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--set", "projects.0.count=4"), "the ledger is of another configuration"),
        (("--set", "simulation.tick_s=2"), "tick_ms was 1000 then and is 2000 now"),
        (("--seed", "5"), "--seed: error: --repeat takes it from the ledger"),
        (("--start", "now"), "--start: error: --repeat takes it from the ledger"),
        (("--duration", "5s"), "--duration: error: --repeat takes it from the ledger"),
    ],
)
def test_another_run_is_refused(recording: Recording, words: tuple[str, ...], reason: str) -> None:
    done = recording.repeat(*words)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_another_plugin_is_named(recording: Recording) -> None:
    (recording.folder / "half.py").write_text(PLUGIN.replace("0.5", "0.25"))
    done = recording.repeat()
    assert done.returncode == 2
    assert "the plugin fault half was half.py (SHA-256 " in done.stderr


def test_another_version_is_named(recording: Recording) -> None:
    with closing(sqlite3.connect(recording.ledger)) as database, database:
        database.execute("UPDATE meta SET value = '0.0.9' WHERE key = 'gridsim'")
    done = recording.repeat()
    assert done.returncode == 2
    assert "gridsim was 0.0.9 then and is " in done.stderr


def test_what_is_no_ledger_is_refused(recording: Recording) -> None:
    done = prepared.gridsim("--repeat", recording.config, cwd=recording.folder)
    assert done.returncode == 2
    assert "is no ledger" in done.stderr or "not a ledger" in done.stderr
