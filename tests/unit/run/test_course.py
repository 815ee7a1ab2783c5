"""The course of a run: its start, its ticks and its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gridsim.contracts.results import TickResult
from gridsim.errors import PluginError, UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.unit.run.homes import CONFIG, DEADLINE_S, Make, lines


def test_the_manual_clock_runs_the_ticks_that_it_is_told(make: Make, tmp_path: Path) -> None:
    with make() as run:
        assert run.status().state == "running"
        assert run.advance(0) == 0
        assert run.advance() == 1
        assert run.advance(4) == 4
        assert run.status().tick == 5
    status = run.status()
    assert (status.state, status.readings, status.error) == ("ended", 10, "")
    assert len(lines(tmp_path)) == 10
    [file] = status.transports
    assert (file.accepted, file.delivered, file.pending) == (10, 10, 0)
    assert not run.hung


def test_it_advances_no_further_than_its_end(make: Make) -> None:
    with make(ticks="3s") as run:
        assert run.advance(2) == 2
        assert not run.wait(0)
        assert run.advance(5) == 1
        assert run.wait(DEADLINE_S)
        assert run.advance(1) == 0
    assert run.status().tick == 3


@pytest.mark.parametrize("state", ["new", "ended"])
def test_only_a_running_run_advances(make: Make, state: str) -> None:
    run = make()
    if state == "ended":
        run.start()
        run.stop()
    with pytest.raises(RuntimeError, match=f"but this run is {state}"):
        run.advance()
    run.plan.close()


def test_a_run_starts_once_and_stops_as_often_as_one_likes(make: Make) -> None:
    run = make()
    run.start()
    with pytest.raises(RuntimeError, match="starts once"):
        run.start()
    run.stop()
    run.stop()
    assert run.status().state == "ended"


def test_advance_is_for_the_manual_clock(make: Make) -> None:
    with make(manual=False, ticks="3s") as run, pytest.raises(RuntimeError, match="manual clock"):
        run.advance()
    with make() as run, pytest.raises(ValueError, match="at least 0, not -1"):
        run.advance(-1)


def test_at_speed_0_it_ends_by_itself(make: Make, tmp_path: Path) -> None:
    with make(manual=False, ticks="50s") as run:
        assert run.wait(DEADLINE_S)
    assert run.status().tick == 50
    assert len(lines(tmp_path)) == 100


def test_stop_cuts_an_endless_run_short_and_keeps_the_account(make: Make, tmp_path: Path) -> None:
    seen = threading.Event()
    run = make(manual=False)
    run.subscribe(lambda result: seen.set() if result.tick >= 20 else None)
    with run:
        assert seen.wait(DEADLINE_S)
        assert not run.wait(0)
    status = run.status()
    [file] = status.transports
    assert status.tick >= 20
    assert file.accepted == status.readings == file.delivered + file.dropped_total
    assert len(lines(tmp_path)) == file.delivered


def test_a_run_ends_with_what_ended_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from gridsim.api import Device, hookimpl\n"
        "class Odd(Device):\n"
        "    def step(self, tick):\n"
        "        assert tick.index < 2, 'worn out'\n"
        "        return 1.0\n"
        "@hookimpl\n"
        "def gridsim_register(register):\n"
        "    register.der('odd', Odd)\n"
    )
    path = tmp_path / "odd.toml"
    text = CONFIG.replace('type = "generator"', 'type = "odd"').replace("OUT", str(tmp_path))
    path.write_text(text.replace("[simulation]", '[simulation]\nplugins = ["odd.py"]'))
    run = Run(make_plan(Options(config=path)))
    with run:
        assert run.wait(DEADLINE_S)
    assert "the DER type 'odd' failed at tick 2" in run.status().error
    assert run.status().tick == 2
    run = Run(make_plan(Options(config=path)), clock="manual")
    with run, pytest.raises(PluginError, match="the DER type 'odd' failed at tick 2"):
        run.advance(5)


def test_nobody_waits_for_a_run_that_has_not_started(make: Make) -> None:
    run = make()
    with pytest.raises(RuntimeError, match="a run that has started"):
        run.wait(0)
    run.stop()
    assert run.status().state == "ended"


def test_a_start_that_fails_releases_everything(make: Make, tmp_path: Path) -> None:
    run = make(more=f'[ledger]\npath = "{tmp_path}/ledger.sqlite"\n')
    (tmp_path / "ledger.sqlite").write_text("mine")
    with pytest.raises(UsageError, match=r"ledger\.sqlite"), run:
        pass
    assert run.status().state == "ended"
    assert (tmp_path / "ledger.sqlite").read_text() == "mine"


def test_a_copy_of_its_simulation_goes_on_by_itself(make: Make) -> None:
    seen: list[TickResult] = []
    with make() as run:
        run.subscribe(seen.append)
        assert run.copy_simulation().next_tick == 0
        run.advance(2)
        copied = run.copy_simulation()
        batch = copied.advance([]).batch
        assert (run.status().tick, copied.next_tick) == (2, 3)
        run.advance(1)
    assert seen[2].batch.current_output.tolist() == batch.current_output.tolist()
    with make(manual=False) as other, pytest.raises(RuntimeError, match="needs the manual clock"):
        other.copy_simulation()
