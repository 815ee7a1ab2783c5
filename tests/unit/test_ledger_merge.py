"""The merged ledger of shards is the one that the run without shards writes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gridsim.errors import UsageError
from gridsim.filelock import lock_file
from gridsim.ledger import LedgerError, Reader, merge_ledgers
from gridsim.ledger.schema import TRUTH
from tests.fixtures.shards import copies, mixed_run


def table(ledger: Path, name: str) -> list[Any]:
    order = "1, 2" if name in ("instructions", "fates") else "1" if name == "meta" else "rowid"
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(f"SELECT * FROM {name} ORDER BY {order}").fetchall()


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("merged") / "run.sqlite"
    merge_ledgers(mixed_run().parts, path)
    return path


@pytest.mark.parametrize("name", [*TRUTH, "transports", "reloads"])
def test_its_tables_are_those_of_the_run_without_shards(name: str, merged: Path) -> None:
    assert table(merged, name) == table(mixed_run().whole, name)


def test_the_run_has_every_kind_of_disorder() -> None:
    with Reader(mixed_run().whole) as reader:
        assert all(
            reader.rows(f"SELECT count(*) FROM {name}")[0][0]
            for name in ("packed_unsent", "packed_reported", "episodes", "settlements")
        )


def test_a_small_window_gives_the_same(merged: Path, tmp_path: Path) -> None:
    merge_ledgers(mixed_run().parts[::-1], tmp_path / "run.sqlite", rows=10)
    for name in (*TRUTH, "offers"):
        assert table(tmp_path / "run.sqlite", name) == table(merged, name)


def test_each_reading_keeps_its_fate(merged: Path) -> None:
    sums = "SELECT fate, reason, sum(rows), min(first), max(first + rows) FROM fates GROUP BY 1, 2"
    with Reader(merged) as one, Reader(mixed_run().whole) as other:
        assert one.rows(sums) == other.rows(sums)
        ranges = one.rows("SELECT first, rows FROM fates ORDER BY first")
    assert all(a + n == b for (a, n), (b, _) in pairwise(ranges))


def test_its_about_is_that_of_the_run_with_the_shards(merged: Path) -> None:
    one, other = dict(table(merged, "meta")), dict(table(mixed_run().whole, "meta"))
    shards = json.loads(one.pop("merged"))
    assert [own["shard"] for own in shards] == [0, 1, 2]
    assert [own["devices"] for own in shards] == [4, 4, 4]
    for meta in (one, other):
        meta["plugins"] = json.loads(meta["plugins"])
        assert len(meta.pop("run")) == 32
    assert one == other


def test_a_shard_that_was_killed_makes_it_incomplete(tmp_path: Path) -> None:
    parts = copies(mixed_run(), tmp_path)
    _change(parts[1], "UPDATE meta SET value = 0 WHERE key IN ('complete', 'ticks')")
    merged = merge_ledgers(parts, tmp_path / "run.sqlite")
    assert not merged.complete
    assert merged.doubts == (f"shard 1 ({parts[1]}) is incomplete",)
    with Reader(merged.path) as reader:
        assert not reader.complete


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("UPDATE meta SET value = 8 WHERE key = 'seed'", "their seeds differ"),
        ("UPDATE meta SET value = value + 1 WHERE key = 'start_ms'", "their starts differ"),
        ("UPDATE meta SET value = 'x' WHERE key = 'configuration'", "their configurations differ"),
        ("UPDATE meta SET value = '0.1' WHERE key = 'gridsim'", "their versions of gridsim differ"),
        ("UPDATE meta SET value = 4 WHERE key = 'shards'", "their numbers of shards differ"),
        ("UPDATE transports SET framing = 'project'", "their transports differ"),
        ("UPDATE meta SET value = 0 WHERE key = 'shard'", "shard 0 is given twice"),
        ("DELETE FROM meta WHERE key = 'shard'", "of a whole run, not of a shard"),
        ("UPDATE meta SET value = 2 WHERE key = 'version'", "has version 2"),
        ("UPDATE projects SET project_id = 'HOME_1'", "the project HOME_1 is in it and in"),
        ("UPDATE packed_readings SET output = x'00'", "the ledger is damaged"),
        (
            "DELETE FROM packed_readings WHERE batch = (SELECT max(batch) FROM packed_labels) - 5",
            "the ledger is damaged",
        ),
        ("DELETE FROM packed_readings WHERE batch > 30", "the ledger is damaged"),
        ("DROP TABLE fates", "the ledger cannot be read"),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused(tmp_path: Path, change: str, error: str) -> None:
    parts = copies(mixed_run(), tmp_path)
    _change(parts[1], change)
    with pytest.raises(UsageError, match=error):
        merge_ledgers(parts, tmp_path / "run.sqlite")
    assert sorted(tmp_path.iterdir()) == parts


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of 2 of them are given: shard 1 is missing"):
        merge_ledgers(mixed_run().parts[::2], tmp_path / "run.sqlite")


def test_it_replaces_only_a_ledger_and_only_if_asked(tmp_path: Path) -> None:
    parts = mixed_run().parts
    path = Path(shutil.copy(parts[0], tmp_path / "run.sqlite"))
    with pytest.raises(UsageError, match="holds the ledger of another run"):
        merge_ledgers(parts, path)
    merge_ledgers(parts, path, overwrite=True)
    path.write_text("notes")
    with pytest.raises(UsageError, match="is not a ledger"):
        merge_ledgers(parts, path, overwrite=True)
    assert path.read_text() == "notes"
    with pytest.raises(UsageError, match="it is one of the ledgers to merge"):
        merge_ledgers(parts, parts[0], overwrite=True)


def test_each_reload_is_there_once(tmp_path: Path) -> None:
    parts = copies(mixed_run(), tmp_path)
    for place, part in enumerate(parts):
        _change(part, f"INSERT INTO reloads VALUES (1, 9, 90, 'x', {100 + place})")
    _change(parts[1], "INSERT INTO reloads VALUES (2, 7, 70, 'y', 99)")
    merge_ledgers(parts, tmp_path / "run.sqlite")
    assert table(tmp_path / "run.sqlite", "reloads") == [(1, 7, 70, "y", 99), (2, 9, 90, "x", 102)]


def test_a_ledger_that_a_run_still_writes_is_refused(tmp_path: Path) -> None:
    parts = copies(mixed_run(), tmp_path)
    descriptor = os.open(parts[1], os.O_RDWR)
    try:
        assert lock_file(descriptor)
        with pytest.raises(UsageError, match="a run is still writing it"):
            merge_ledgers(parts, tmp_path / "run.sqlite")
    finally:
        os.close(descriptor)
    merge_ledgers(parts, tmp_path / "run.sqlite")


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
def test_nothing_is_left_on_a_full_disk(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(LedgerError, match=r"run\.sqlite cannot be created"):
            merge_ledgers(mixed_run().parts, tmp_path / "run.sqlite")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def _change(ledger: Path, statement: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(statement)
