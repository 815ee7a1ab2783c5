"""A run with a ledger whose configuration is reloaded."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gridsim.config.resolve import Flags
from gridsim.contracts.results import TickResult
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.running.repeat import make_repeat_plan
from gridsim.running.run import Run
from gridsim.verify.main import verify
from gridsim.verify.options import VerifyOptions
from tests.fixtures.same import assert_same_batch
from tests.unit.run.homes import CONFIG, DEADLINE_S, Make

LEDGER = '\n[ledger]\npath = "OUT/ledger.sqlite"\n'
CHECKPOINT = '\n[checkpoint]\npath = "OUT/ck"\n'
FAULTS = """
[[faults]]
type = "offline"
readings = "stored"
ders = ["[!G]*"]
after_s = 3
duration_s = 5
[[faults]]
type = "delay"
delay_s = 3
probability = 0.6
"""
SPIKE = '[[faults]]\nid = "new"\ntype = "sign_flip"\nders = ["GEN", "PV"]\n'
CUT = '[[faults]]\ntype = "truncate"\nprobability = 0.4\n'
CASE = '[[faults]]\ntype = "malformed"\nprobability = 0.4\n'
FIRST = """
[[projects]]
id = "FIRST"
load = { type = "constant", kw = 1.5 }
[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""
PLAIN = CONFIG + LEDGER + FAULTS
WITH_FIRST = PLAIN.replace("\n[[projects]]", FIRST + "\n[[projects]]", 1)
"""The new project comes first, so that every index changes."""

Edit = Callable[[str], None]


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    def edit(text: str) -> None:
        (tmp_path / "config.toml").write_text(text.replace("OUT", str(tmp_path)))

    return edit


def query(path: Path, text: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(text).fetchall()


def test_the_ledger_describes_a_run_whose_devices_change(
    make: Make, edit: Edit, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with make(more=LEDGER + FAULTS) as run:
        digests = []
        for ticks, text in ((4, WITH_FIRST), (2, PLAIN + SPIKE), (3, WITH_FIRST + SPIKE)):
            run.advance(ticks)
            edit(text)
            digests.append(run.reload().digest)
        run.advance(4)
    assert query(path, "SELECT tick, configuration FROM reloads ORDER BY reload") == [
        (4, digests[0]),
        (6, digests[1]),
        (9, digests[2]),
    ]
    assert query(path, "SELECT device, der_id, project FROM devices") == [
        (0, "PV", 0),
        (1, "GEN", 0),
        (2, "BAT", 1),
    ]
    # The delayed readings of the removed battery are never sent.
    [(unsent,)] = query(path, "SELECT sum(rows) FROM packed_unsent")
    assert unsent >= 1
    report = verify(VerifyOptions(ledger=path, files=(str(tmp_path / "out.jsonl"),)), print)
    assert report.passed, report


def test_a_fault_of_a_reload_before_the_first_tick_is_in_the_ledger(
    make: Make, edit: Edit, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with make(more=LEDGER + FAULTS) as run:
        edit(CONFIG + LEDGER + SPIKE + "duration_s = 1\nafter_s = 0\n")
        run.reload()
        run.advance(3)
    faults = query(path, "SELECT fault, id, since FROM faults")
    assert faults == [(0, "offline", 0), (1, "delay", 0), (2, "new", 0)]
    assert query(path, "SELECT DISTINCT fault FROM episodes") == [(2,)]
    report = verify(VerifyOptions(ledger=path, files=(str(tmp_path / "out.jsonl"),)), print)
    assert report.passed, report


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("capacity = 5.0", "capacity = 6.0"), r"nor a device's .* nameplate_capacity.*\(PV\)"),
        (('"HOME"', '"HOME"\ncontract_threshold = 1.0'), r"contract_threshold.*\(HOME\)"),
        (("[ledger]", '[[transports]]\ntype = "stdout"\n[ledger]'), "cannot add or remove"),
    ],
)
def test_what_a_ledger_cannot_describe_is_refused(
    make: Make, edit: Edit, change: tuple[str, str], message: str
) -> None:
    with make(more=LEDGER) as run:
        run.advance(2)
        edit((CONFIG + LEDGER).replace(*change, 1))
        with pytest.raises(UsageError, match=message):
            run.reload()
        run.advance(1)


def test_a_run_that_was_reloaded_is_not_repeated(make: Make, tmp_path: Path) -> None:
    with make(more=LEDGER) as run:
        run.advance(2)
        run.reload()
        run.advance(1)
    with pytest.raises(UsageError, match="was reloaded at tick 2, and the ledger does not have"):
        make_repeat_plan(Options(tmp_path / "config.toml"), tmp_path / "ledger.sqlite")


def test_a_checkpoint_after_a_reload_is_that_of_the_new_configuration(
    make: Make, edit: Edit, tmp_path: Path
) -> None:
    """The new faults come first, but the others keep their numbers."""
    kept, copied = tmp_path / "ck", tmp_path / "copied"
    changed = CONFIG + SPIKE + CASE + FAULTS + CUT + CHECKPOINT
    with make(more=CUT + FAULTS + CHECKPOINT) as run:
        run.advance(4)
        edit(changed)
        run.reload()
        run.advance(1)
        assert run.save_checkpoint()
        shutil.copytree(kept, copied)
        told = [one.batch for one in _results(run, 2)]
    shutil.rmtree(kept)
    copied.rename(kept)
    edit(CONFIG + CUT + FAULTS + CHECKPOINT)
    options = Options(tmp_path / "config.toml", flags=Flags(speed=0.0), resume=True)
    with pytest.raises(UsageError, match="faults"):
        make_plan(options)
    edit(changed)
    with Run(make_plan(options), clock="manual") as run:
        assert run.status().tick == 5
        again = [one.batch for one in _results(run, 2)]
    for one, other in zip(again, told, strict=True):
        assert_same_batch(one, other)
    # Their messages are altered by the same faults.
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    count = sum(map(len, told))
    assert lines[-count:] == lines[-2 * count : -count]


def _results(run: Run, ticks: int) -> list[TickResult]:
    results: list[TickResult] = []
    subscription = run.subscribe(results.append)
    run.advance(ticks)
    subscription.end()
    assert subscription.join(DEADLINE_S)
    return results
