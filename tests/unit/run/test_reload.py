"""A run whose configuration is reloaded: all of it between two ticks, or nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gridsim.api import Command, Target
from gridsim.contracts.results import TickResult
from gridsim.errors import GridsimError, UsageError
from tests.unit.run.homes import CONFIG, DEADLINE_S, Make, lines

MORE = """
[[projects]]
id = "NEW"
load = { type = "constant", kw = 1.5 }
[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
"""
TO_CSV = '\n[[transports]]\ntype = "file"\npath = "OUT/out.csv"\nformat = "csv"\n'

Edit = Callable[..., None]


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    def edit(text: str) -> None:
        (tmp_path / "config.toml").write_text(text.replace("OUT", str(tmp_path)))

    return edit


def ids(tmp_path: Path, name: str = "out.jsonl") -> list[str]:
    return [json.loads(line)["der_id"] for line in (tmp_path / name).read_text().splitlines()]


def test_devices_come_and_go_between_two_ticks(make: Make, edit: Edit, tmp_path: Path) -> None:
    told: list[TickResult] = []
    with make() as run:
        run.subscribe(told.append)
        run.advance(2)
        edit(CONFIG + MORE)
        came = run.reload()
        assert run.post(Command(Target("NEW", "BAT"), "c-1", "set_power", 3.0))
        run.advance(2)
        edit(CONFIG)
        went = run.reload()
        run.advance(1)
        status = run.status()
        assert (status.devices, status.projects, status.tick) == (2, 1, 5)
    assert (came.tick, came.added, came.projects_added) == (2, ("BAT",), ("NEW",))
    assert (went.tick, went.removed, went.projects_removed) == (4, ("BAT",), ("NEW",))
    assert came.digest != went.digest
    assert ids(tmp_path) == ["PV", "GEN"] * 2 + ["PV", "GEN", "BAT"] * 2 + ["PV", "GEN"]
    [file] = run.status().transports
    assert (file.accepted, file.delivered, file.reconnects) == (12, 12, 0)
    assert [one.tick for one in told if one.reload is None] == [0, 1, 2, 3, 4, 5]
    rosters = [one.reload.roster for one in told if one.reload is not None]
    assert [roster and list(roster.der_id) for roster in rosters] == [
        ["PV", "GEN", "BAT"],
        ["PV", "GEN"],
    ]
    answers = [(a.id, a.status) for one in told for a in one.acknowledgements]
    assert answers == [("c-1", "accepted"), ("c-1", "cancelled")]


def test_a_reload_without_a_change_changes_no_byte(make: Make, tmp_path: Path) -> None:
    with make() as run:
        run.advance(6)
    whole = lines(tmp_path)
    (tmp_path / "out.jsonl").unlink()
    with make() as run:
        for _ in range(3):
            run.advance(2)
            reloaded = run.reload()
            assert (reloaded.added, reloaded.removed, reloaded.changed) == ((), (), ())
            assert (reloaded.started, reloaded.ended) == ((), ())
    assert lines(tmp_path) == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("nameplate_capacity = 5.0", "nameplate_capacity = -5.0"), "config.toml:14:"),
        (("seed = 42", "seed = 43"), "config.toml:3:8: error: 'seed' cannot be changed"),
        (("speed = 0", "speed = 0\ntick_s = 2.0"), "'tick_s' cannot be changed by a reload"),
        (("2026-06-21T15", "2026-06-21T16"), "'start' cannot be changed by a reload"),
        (("speed = 0", "speed = 0\nduration_s = 9"), "'duration_s' cannot be changed"),
        (("[[transports]]", "[ledger]\n[[transports]]"), "[ledger] cannot be changed"),
        (('id = "PV"', 'id = "GEN"'), "GEN"),
        (("[simulation]", "[simulation"), "config.toml:2:"),
    ],
)
def test_a_bad_configuration_changes_nothing(
    make: Make, edit: Edit, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    with make() as run:
        run.advance(2)
        before = run.plan
        edit(CONFIG.replace(*change, 1) + MORE)
        with pytest.raises(UsageError) as error:
            run.reload()
        assert message in str(error.value)
        assert run.plan is before
        run.advance(1)
    assert ids(tmp_path) == ["PV", "GEN"] * 3


def test_a_transport_with_other_settings_is_drained_and_replaced(
    make: Make, edit: Edit, tmp_path: Path
) -> None:
    with make() as run:
        run.advance(2)
        edit(CONFIG.replace("out.jsonl", "other.jsonl") + TO_CSV)
        reloaded = run.reload()
        run.advance(3)
        edit(CONFIG.replace("out.jsonl", "other.jsonl"))
        assert run.reload().ended == ("transport file#2",)
        run.advance(1)
    assert reloaded.started == ("transport file", "transport file#2")
    assert reloaded.ended == ("transport file",)
    assert len(ids(tmp_path)) == 4
    assert len(ids(tmp_path, "other.jsonl")) == 8
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 6
    found = {one.name: (one.accepted, one.delivered, one.state) for one in run.status().transports}
    assert found == {
        "file": (8, 8, "closed"),
        "file until tick 2": (4, 4, "closed"),
        "file#2 until tick 5": (6, 6, "closed"),
    }


def test_a_speed_that_has_changed_holds_from_the_next_tick_on(make: Make, edit: Edit) -> None:
    with make() as run:
        run.advance(1)
        edit(CONFIG.replace("speed = 0", "speed = 60"))
        run.reload()
        assert run.status().speed == 60.0


def test_it_reloads_while_ticks_go_on(make: Make, edit: Edit, tmp_path: Path) -> None:
    ticked = threading.Event()
    with make(manual=False, speed=0) as run:
        for more in (MORE, "", MORE):
            run.subscribe(lambda _: ticked.set(), "latest")
            assert ticked.wait(DEADLINE_S)
            ticked.clear()
            edit(CONFIG + more)
            run.reload()
    written, status = ids(tmp_path), run.status()
    assert written.count("PV") == written.count("GEN") == status.tick
    [file] = status.transports
    assert file.accepted == file.delivered == len(written)


@pytest.mark.parametrize("state", ["new", "ended"])
def test_only_a_running_run_is_reloaded(make: Make, state: str) -> None:
    run = make()
    if state == "ended":
        run.start()
        run.stop()
    with pytest.raises(GridsimError, match=f"a run that is {state} cannot be reloaded"):
        run.reload()
    run.plan.close()


def test_a_subscriber_cannot_reload(make: Make) -> None:
    refused: list[str] = []
    done = threading.Event()

    def consumer(_: TickResult) -> None:
        try:
            run.reload()
        except RuntimeError as error:
            refused.append(str(error))
        done.set()

    with make() as run:
        run.subscribe(consumer)
        run.advance(1)
        assert done.wait(DEADLINE_S)
    assert set(refused) == {"reload() in a subscriber would wait for itself"}
