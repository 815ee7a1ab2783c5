"""The guard of a ledger that another run is creating or writing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridsim.errors import UsageError
from gridsim.ledger import file
from gridsim.ledger.file import create, release

if sys.platform != "win32":
    import fcntl
else:
    pytest.skip("Windows has other locks", allow_module_level=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def locked(path: Path) -> Iterator[int]:
    """A file as another run has just created and locked it."""
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path.stat().st_ino


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_ledger_that_another_run_is_creating_is_not_removed(
    path: Path, locked: int, overwrite: bool
) -> None:
    with pytest.raises(UsageError, match=r"another run is writing .*ledger\.sqlite"):
        create(path, overwrite=overwrite)
    assert path.stat().st_ino == locked


def test_of_two_runs_that_create_it_at_the_same_time_one_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run creates and locks the file after this one has found none."""
    found = file._make_room

    def late(at: Path, *, overwrite: bool) -> None:
        found(at, overwrite=overwrite)
        connections.append(create_first(at))

    def create_first(at: Path) -> int:
        monkeypatch.setattr(file, "_make_room", found)
        connection, descriptor = create(at, overwrite=False)
        connection.close()
        return descriptor

    connections: list[int] = []
    monkeypatch.setattr(file, "_make_room", late)
    with pytest.raises(UsageError, match="another run is writing"):
        create(path, overwrite=True)
    assert path.stat().st_size > 0
    release(connections[0])


def test_the_end_of_a_run_releases_it(path: Path) -> None:
    for _ in range(2):
        connection, descriptor = create(path, overwrite=True)
        connection.close()
        release(descriptor)
