"""The rules of `--resume`: what is sent, when a run starts anew, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import StateError
from gridsim.errors import UsageError
from gridsim.execution.checkpoint import CheckpointError
from gridsim.execution.folder import CheckpointFolder
from gridsim.ledger.file import create, release
from gridsim.running.plan import Options, make_plan
from gridsim.running.repeat import make_repeat_plan
from gridsim.running.run import Run
from tests.fixtures.lives import HEAD, SMALL, Lives, digests, lines, query

TICKS = 6
TRANSPORT = '[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
HEATER = """
from gridsim.api import Device, hookimpl

class Heater(Device):
    def __init__(self, settings):
        super().__init__(settings)
        self.draws = (n for n in range(9))

    def step(self, tick):
        return -1.0

@hookimpl
def gridsim_register(register):
    register.der("heater", Heater)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    """A run that was killed before tick 4, with checkpoints of ticks 0, 2 and 3."""
    lives = Lives(tmp_path_factory.mktemp("killed"), HEAD + SMALL)
    lives.live(TICKS, checkpoints=(2, 3), kills=(4,))
    return lives


@pytest.fixture
def folder(killed: Lives, tmp_path: Path) -> Path:
    """A copy of what the killed run has left."""
    return Path(shutil.copytree(killed.killed(4), tmp_path / "copy"))


def resume(killed: Lives, folder: Path, *overrides: str, ticks: int = 9) -> Run:
    with killed.resumed(folder, *overrides) as run:
        run.advance(ticks - run.status().tick)
    return run


def test_republish_sends_everything_since_the_checkpoint_again(killed: Lives, folder: Path) -> None:
    run = resume(killed, folder, 'checkpoint.on_recovery="republish"', ticks=TICKS)
    once = lines(killed.first)
    assert lines(folder) == [*once[:4], *once[3:]]
    assert query(folder, "SELECT transport, first, rows FROM retries") == [(0, 3, 1)]
    assert query(folder, "SELECT sum(rows) FROM fates") == [(TICKS,)]
    resumed = run.status().resumed
    assert resumed is not None
    assert (resumed.tick, resumed.again, resumed.missed) == (3, 1, 0)


def test_a_run_may_be_killed_again_and_again(killed: Lives, folder: Path) -> None:
    """Also before the first checkpoint of its new life, and after it."""
    again = folder
    for last in (4, 5):
        with killed.resumed(again) as run:
            run.advance(last - run.status().tick)
            run.confirm()
            if last == 5:
                assert run.save_checkpoint()
            again = Path(shutil.copytree(again, f"{folder}-{last}"))
    resume(killed, again, ticks=TICKS)
    assert digests(again) == digests(killed.first)
    assert len(query(again, "SELECT * FROM resumptions")) == 3


def test_a_run_that_has_ended_is_not_resumed(killed: Lives, folder: Path) -> None:
    assert not sorted((killed.first / "ck").glob("*.state"))
    (killed.first / "ledger.sqlite").rename(killed.first / "kept.sqlite")
    try:
        plan = killed.plan(killed.first, resume=True)
    finally:
        (killed.first / "kept.sqlite").rename(killed.first / "ledger.sqlite")
    assert plan.checkpoint is not None
    assert (plan.checkpoint.kept, plan.checkpoint.why_new) == (None, "the last run has ended")
    shutil.rmtree(folder / "ck")
    (folder / "ledger.sqlite").unlink()
    fresh = killed.plan(folder, resume=True).checkpoint
    assert fresh is not None
    assert fresh.why_new == "there is no checkpoint yet"


def test_a_new_run_does_not_replace_the_checkpoint_of_a_killed_one(
    killed: Lives, folder: Path
) -> None:
    with pytest.raises(UsageError, match="ck has the checkpoint of a run that was killed, or "):
        killed.plan(folder, "ledger.overwrite=true")


def test_two_runs_do_not_share_a_folder(killed: Lives, folder: Path) -> None:
    # Nothing was handed on after the checkpoint: the refused run then has nothing to do again.
    (folder / "ck" / "progress").unlink()
    plan = killed.plan(folder, resume=True)
    with killed.resumed(folder):
        refused = Run(plan, clock="manual")
        with pytest.raises(UsageError, match="another run writes its check"):
            refused.start()
        refused.stop()
        assert CheckpointFolder(folder / "ck").has_run()


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("simulation.seed=6", "simulation.seed"),
        ('simulation.start="2026-01-01"', "simulation.start"),
        ("simulation.tick_s=30", "simulation.tick_s"),
        ("projects.0.load.kw=2", "projects.0.load.kw"),
        ('weather.type="synthetic"', "the plugin weather clear, the plugin weather synthetic"),
        ('transports.0.format="csv"', "transports.0.format"),
        ('transports.0.framing="project"', "transports.0"),
        ("ledger.counterfactual=false", "ledger.rebound_s"),
    ],
)
def test_another_configuration_is_refused_with_its_keys(
    killed: Lives, folder: Path, override: str, key: str
) -> None:
    with pytest.raises(
        CheckpointError, match=f"another configuration, which differs in (.*, )?{key}"
    ) as caught:
        killed.plan(folder, override, resume=True)
    assert caught.value.exit_status == 2


def test_a_duration_before_the_checkpoint_is_refused(killed: Lives, folder: Path) -> None:
    assert killed.plan(folder, "simulation.duration_s=180", resume=True).ticks == 3
    with pytest.raises(UsageError, match="is of tick 3, and with this duration the run ends at ti"):
        killed.plan(folder, "simulation.duration_s=120", resume=True)


def test_what_the_state_does_not_depend_on_may_change(killed: Lives, folder: Path) -> None:
    overrides = ["simulation.speed=60", "checkpoint.every_s=5", 'simulation.start="now"']
    resume(killed, folder, *overrides, 'transports.0.path="other.jsonl"', ticks=TICKS)
    assert (folder / "other.jsonl").read_bytes().splitlines() == lines(killed.first)[4:]


def test_the_ledger_is_found_where_it_was(killed: Lives, folder: Path) -> None:
    """The path may have the id of a start of the service."""
    for path in folder.glob("ledger.sqlite*"):
        path.rename(path.with_name(path.name.replace("ledger", "moved")))
    (killed.first / "ledger.sqlite").rename(killed.first / "hidden.sqlite")
    try:
        with pytest.raises(UsageError, match=r"the run's ledger .* is not there any more"):
            killed.plan(folder, resume=True)
    finally:
        (killed.first / "hidden.sqlite").rename(killed.first / "ledger.sqlite")
    plan = killed.plan(folder, 'ledger.path="moved.sqlite"', resume=True)
    assert plan.ledger is not None
    assert plan.ledger.path.name == "moved.sqlite"


@pytest.mark.parametrize("left", [None, b"", "schema"])
def test_a_run_that_was_killed_before_it_had_a_ledger_creates_it(
    killed: Lives, tmp_path: Path, left: bytes | str | None
) -> None:
    lives = Lives(tmp_path, HEAD + SMALL)
    plan = lives.plan(lives.first)
    run = Run(plan, clock="manual")
    run._life.open(run._engine, run._workers, manual=True)
    assert run._life._checkpoints is not None
    run._life._checkpoints.release()
    ledger = lives.first / "ledger.sqlite"
    if left == "schema":
        connection, descriptor = create(ledger, overwrite=False)
        connection.close()
        release(descriptor)
    elif left is not None:
        ledger.touch()
    with lives.resumed(lives.first) as again:
        again.advance(2)
    assert query(lives.first, "SELECT sum(rows) FROM fates") == [(2,)]


def damage_newest(ck: Path) -> None:
    (ck / f"{3:012}.state").write_bytes(b"gridsim\0 torn")


def rename_newest(ck: Path) -> None:
    (ck / f"{3:012}.state").write_bytes((ck / f"{2:012}.state").read_bytes())


def lose_progress(ck: Path) -> None:
    (ck / "progress").write_bytes(b"\0" * 128)


@pytest.mark.parametrize("damage", [damage_newest, rename_newest])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    killed: Lives, folder: Path, damage: Any
) -> None:
    damage(folder / "ck")
    plan = killed.plan(folder, resume=True)
    assert plan.checkpoint is not None
    assert plan.checkpoint.kept is not None
    (warning,) = plan.checkpoint.kept.warnings
    assert "000000000003.state is left out: " in warning
    resume(killed, folder, ticks=TICKS)
    assert digests(folder) == digests(killed.first)


def test_without_its_progress_a_run_sends_again(killed: Lives, folder: Path) -> None:
    lose_progress(folder / "ck")
    resume(killed, folder, ticks=TICKS)
    assert lines(folder) == [*lines(killed.first)[:4], *lines(killed.first)[3:]]


def test_if_no_checkpoint_can_be_read_it_is_an_error(killed: Lives, folder: Path) -> None:
    for path in (folder / "ck").glob("*.state"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint can be read; delete the folder"):
        killed.plan(folder, resume=True)


def test_a_damaged_journal_is_an_error(killed: Lives, folder: Path) -> None:
    (folder / "ck" / f"{3:012}.journal").write_bytes(b'{"tick": 3}\n')
    with pytest.raises(CheckpointError, match="journal: error: line 1 is damaged"):
        killed.plan(folder, resume=True)


def test_a_checkpoint_that_is_newer_than_the_ledger_is_left_out(
    killed: Lives, folder: Path
) -> None:
    """After a failure of the machine the ledger may lack readings that it had committed."""
    query(folder, "DELETE FROM batches WHERE tick = 2")
    plan = killed.plan(folder, resume=True)
    assert plan.checkpoint is not None
    assert plan.checkpoint.kept is not None
    (warning,) = plan.checkpoint.kept.warnings
    assert warning.endswith("has 2 of the 3 readings before it")
    resume(killed, folder, ticks=TICKS)
    assert digests(folder) == digests(killed.first)


def test_resume_needs_the_table(killed: Lives, folder: Path) -> None:
    text = (folder / "fleet.toml").read_text().replace('[checkpoint]\npath = "ck"\n', "")
    (folder / "fleet.toml").write_text(text)
    with pytest.raises(UsageError, match=r"--resume: error: the configuration has no \[checkp"):
        killed.plan(folder, resume=True)
    with pytest.raises(UsageError, match="--resume: error: --repeat starts at the first tick"):
        make_repeat_plan(Options(folder / "fleet.toml", resume=True), folder / "ledger.sqlite")


def test_a_plugin_that_cannot_be_kept_is_named_before_the_first_tick(tmp_path: Path) -> None:
    (tmp_path / "heater.py").write_text(HEATER)
    text = HEAD.replace("[simulation]", '[simulation]\nplugins = ["heater.py"]')
    config = tmp_path / "fleet.toml"
    config.write_text(text + SMALL.replace('"battery"', '"heater"').partition("energy_cap")[0])
    run = Run(make_plan(Options(config)), clock="manual")
    with pytest.raises(StateError, match=r"the DER type 'heater': Heater\.draws cannot be kept"):
        run.start()
    run.stop()
    assert not (tmp_path / "ledger.sqlite").exists()


def test_the_folder_is_checked_before_the_run(tmp_path: Path) -> None:
    config = tmp_path / "fleet.toml"
    config.write_text(HEAD + SMALL)
    (tmp_path / "ck").touch()
    with pytest.raises(UsageError, match="ck is not a folder; name another"):
        make_plan(Options(config))


def test_a_run_is_resumed_with_the_configuration_of_its_reload(tmp_path: Path) -> None:
    lives = Lives(tmp_path, HEAD + SMALL)
    more = HEAD + SMALL + SMALL.replace("HOME", "SHOP").replace("BAT", "SHOP_B")

    def reload(run: Run) -> None:
        (lives.first / "fleet.toml").write_text(more)
        run.reload()
        run.advance(1)
        run.confirm()
        assert run._life._checkpoints is not None
        assert run._life._checkpoints.wait(10)

    lives.live(TICKS, kills=(2,), before_kill=reload)
    with lives.resumed(lives.killed(2)) as run:
        resumed = run.status().resumed
        assert resumed is not None
        assert (resumed.tick, resumed.handed_on) == (2, 3)
        run.advance(TICKS + 1 - 2)
    assert digests(lives.killed(2)) == digests(lives.first)
