"""A ledger whose file is lost or changed by another program ends the run with an error."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gridsim.contracts.results import TickResult
from gridsim.errors import UsageError
from gridsim.ledger import Ledger, LedgerError, Reader
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from gridsim.simulation.step import Simulation
from gridsim.text.status import closing_lines
from tests.fixtures.ledgers import FLEET

DEADLINE_S = 20.0


def put_a_file_in_place_of_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("x"))
    path.parent.touch()


def link(path: Path) -> None:
    path.rename(path.with_name("x"))
    path.symlink_to("x")


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 8192)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "ledger.sqlite was deleted, moved or renamed while"),
    "renamed": (lambda path: path.rename(path.with_name("x")), "was deleted, moved or renamed"),
    "folder removed": (lambda path: shutil.rmtree(path.parent), "was deleted, moved or renamed"),
    "folder moved": (
        lambda path: path.parent.rename(path.parent.with_name("x")),
        "was deleted, moved or renamed",
    ),
    "folder is a file": (put_a_file_in_place_of_the_folder, "was deleted, moved or renamed"),
    "replaced": (
        lambda path: os.replace(shutil.copy(path, path.with_name("x")), path),
        "was replaced by another file",
    ),
    "a link to itself": (link, "was replaced by another file"),
    "emptied": (lambda path: path.write_bytes(b""), "was truncated to 0 bytes"),
    "shortened": (lambda path: os.truncate(path, 8192), "was truncated to 8,192 bytes"),
    "overwritten": (overwrite, "was overwritten by another program"),
    "wal deleted": (
        lambda path: path.with_name(path.name + "-wal").unlink(),
        "ledger.sqlite-wal, a part of the ledger, was deleted",
    ),
    "shm deleted": (
        lambda path: path.with_name(path.name + "-shm").unlink(),
        "ledger.sqlite-shm, a part of the ledger, was deleted",
    ),
}


class Recorded:
    """A ledger in a folder of its own, with a simulation to record."""

    def __init__(self, folder: Path) -> None:
        config = folder / "fleet.toml"
        self.path = folder / "out" / "ledger.sqlite"
        config.write_text(FLEET.format(ledger=self.path))
        plan = make_plan(Options(config=config))
        assert plan.ledger is not None
        self.ledger: Ledger = plan.ledger.open()
        self._simulation = Simulation(plan.configuration.scenario)

    def advance(self) -> TickResult:
        return self._simulation.advance()

    def record(self) -> None:
        self.ledger.record(self.advance())

    def wait(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def is_written(self) -> bool:
        with closing(sqlite3.connect(self.path)) as connection:
            return bool(connection.execute("SELECT count(*) FROM batches").fetchone()[0])


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    found = Recorded(tmp_path)
    found.record()
    found.wait(found.is_written)
    yield found
    if found.ledger.error is None:
        found.ledger.close(complete=False, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_while_nothing_is_recorded(recorded: Recorded, damage: str) -> None:
    apply, message = DAMAGES[damage]
    apply(recorded.path)
    recorded.wait(lambda: recorded.ledger.error)
    with pytest.raises(LedgerError, match=message):
        recorded.record()
    # It is raised once; nothing that follows hangs or raises it again.
    recorded.record()
    recorded.ledger.close(complete=True, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_just_before_the_end_is_found(recorded: Recorded, damage: str) -> None:
    apply, message = DAMAGES[damage]
    apply(recorded.path)
    with pytest.raises(LedgerError, match=message):
        recorded.ledger.close(complete=True, timeout_s=DEADLINE_S)


def test_other_programs_may_read_it_and_close_it(recorded: Recorded) -> None:
    for sql in ("SELECT count(*) FROM batches", "PRAGMA wal_checkpoint(TRUNCATE)"):
        with closing(sqlite3.connect(recorded.path)) as connection:
            connection.execute(sql).fetchall()
        recorded.record()
    recorded.ledger.close(complete=True, timeout_s=DEADLINE_S)
    assert recorded.ledger.error is None
    with closing(sqlite3.connect(recorded.path)) as connection:
        assert connection.execute("SELECT count(*) FROM batches").fetchall() == [(3,)]


def test_reading_it_in_the_same_process_keeps_its_locks(recorded: Recorded) -> None:
    """POSIX locks end when the process closes the file anywhere."""
    with Reader(recorded.path) as reader:
        assert sum(len(window) for window in reader.windows()) == 6
    # The last program that closes a database in this mode removes its -wal file.
    read = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM meta').close()"
    subprocess.run([sys.executable, "-c", read, recorded.path], check=True)
    recorded.record()
    recorded.ledger.close(complete=True, timeout_s=DEADLINE_S)
    assert recorded.ledger.error is None


def test_a_lock_of_another_program_is_named(recorded: Recorded) -> None:
    with closing(sqlite3.connect(recorded.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        recorded.record()
        recorded.wait(lambda: recorded.ledger.error)
    with pytest.raises(LedgerError, match="another program holds a lock on it"):
        recorded.record()


def test_readings_that_another_program_deleted_are_missed(recorded: Recorded) -> None:
    with closing(sqlite3.connect(recorded.path)) as connection, connection:
        connection.execute("DELETE FROM batches")
    with pytest.raises(LedgerError, match="does not have the 6 readings of the run"):
        recorded.ledger.close(complete=True, timeout_s=DEADLINE_S)


def test_a_run_ends_with_the_error_and_names_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "out" / "ledger.sqlite"
    config = tmp_path / "fleet.toml"
    config.write_text(FLEET.format(ledger=path))
    with Run(make_plan(Options(config=config)), clock="manual") as run:
        run.advance(2)
        status = run.status()
        assert status.ledger is not None
        assert (status.ledger.path, status.ledger.error) == (str(path), "")
        path.unlink()
    assert run.ledger_error is not None
    assert "was deleted" in str(run.ledger_error)
    status = run.status()
    assert status.ledger is not None
    assert status.ledger.error == str(run.ledger_error)
    assert list(closing_lines(status))[-1] == "ledger: incomplete"


def test_the_run_waits_for_a_tick_that_is_not_written(recorded: Recorded) -> None:
    """However few readings wait: a killed run may lose a quarter of a second, and no more."""
    ledger = recorded.ledger
    with closing(sqlite3.connect(recorded.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        recorded.record()
        queued = time.monotonic()
        recorded.wait(lambda: time.monotonic() - queued >= 0.25)
        late = threading.Thread(target=ledger.record, args=(recorded.advance(),))
        late.start()
        late.join(0.3)
        assert late.is_alive()
    late.join(DEADLINE_S)
    assert not late.is_alive()
    assert ledger.waited_s > 0.0
    ledger.close(complete=True, timeout_s=DEADLINE_S)
    assert ledger.error is None


def test_a_ledger_that_is_being_written_is_not_replaced(tmp_path: Path) -> None:
    first = Recorded(tmp_path)
    before = first.path.stat().st_ino
    config = tmp_path / "fleet.toml"
    options = Options(config=config, overrides=("ledger.overwrite=true",))
    with pytest.raises(UsageError, match=r"another run is writing .*ledger\.sqlite"):
        make_plan(options)
    plan = make_plan(options, files="inputs")
    with pytest.raises(UsageError, match=r"another run is writing .*ledger\.sqlite"):
        Run(plan).start()
    assert first.path.stat().st_ino == before
    first.ledger.close(complete=True, timeout_s=DEADLINE_S)
    assert first.ledger.error is None
    with Run(plan, clock="manual") as second:
        second.advance(1)
    assert second.ledger_error is None
