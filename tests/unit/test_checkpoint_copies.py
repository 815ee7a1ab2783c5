"""The copy of the checkpoints at a URL, from which a run goes on with an empty folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from gridsim.config.tables.checkpoint import url_of_shard
from gridsim.contracts.shard import WHOLE, Shard
from gridsim.errors import UsageError
from gridsim.execution.checkpoint import CheckpointError, RunFacts, checkpoint_bytes
from gridsim.execution.copies import CheckpointCopy
from gridsim.execution.folder import CheckpointFolder
from gridsim.running.run import Run
from tests.fixtures.lives import HEAD, SMALL, Lives, digests

URL = "memory://bucket/ck"
STORE = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    if STORE.exists("/bucket"):
        STORE.rm("/bucket", recursive=True)


def names() -> set[str]:
    return {path.rpartition("/")[2] for path in STORE.ls("/bucket/ck", detail=False)}


def folder(path: Path, *ticks: int, run: str = "r") -> Path:
    made = CheckpointFolder(path)
    made.open(resumed=False)
    for tick in ticks:
        made.journal(tick, {}).close()
        made.write(tick, checkpoint_bytes({"next_tick": tick}, {}, RunFacts(run=run)))
    made.close()
    return path


def copied(path: Path, *, resumed: bool = False) -> CheckpointCopy:
    copy = CheckpointCopy(URL, {})
    copy.open(path, resumed=resumed)
    return copy


def test_a_run_continues_on_a_machine_that_has_only_the_url(tmp_path: Path) -> None:
    lives = Lives(tmp_path, HEAD + SMALL)
    override = f'checkpoint.url="{URL}"'
    with Run(lives.plan(lives.first, override), clock="manual") as run:
        run.advance(2)
        assert run.save_checkpoint()
        run.advance(2)
        run.confirm()
        for copy in [run._life._checkpoints._copy]:  # type: ignore[union-attr]
            copy._send()
        kept = {name: STORE.cat_file(f"/bucket/ck/{name}") for name in names()}
        there = Path(shutil.copytree(lives.first, tmp_path / "there"))
        run.advance(2)
    assert names() == {"ended"}
    assert CheckpointCopy(URL, {}).fetch(tmp_path / "none") == "nothing"
    STORE.rm_file("/bucket/ck/ended")
    for name, data in kept.items():
        STORE.pipe_file(f"/bucket/ck/{name}", data)
    shutil.rmtree(there / "ck")
    with Run(lives.plan(there, override, resume=True), clock="manual") as again:
        assert again.status().tick == 2
        again.advance(4)
    assert digests(there) == digests(lives.first)


def test_only_what_changes_is_copied_and_old_files_go(tmp_path: Path) -> None:
    here = folder(tmp_path / "ck", 0, 3)
    copy = copied(here)
    assert names() == {*(f"{n:012}.{k}" for n in (0, 3) for k in ("state", "journal")), "owner"}
    STORE.pipe_file(f"/bucket/ck/{3:012}.state", b"not written again")
    (here / f"{0:012}.state").unlink()
    copy._send()
    assert f"{0:012}.state" not in names()
    assert STORE.cat_file(f"/bucket/ck/{3:012}.state") == b"not written again"
    copy.close(ended=False)
    assert "ended" not in names()


@pytest.mark.parametrize(
    ("ticks", "run", "expected"),
    [((), "r", "copied"), ((2,), "r", "copied"), ((5,), "r", "local"), ((9,), "r", "local"),
     ((9,), "other", "copied")],
)  # fmt: skip
def test_the_further_one_of_folder_and_url_is_continued(
    tmp_path: Path, ticks: tuple[int, ...], run: str, expected: str
) -> None:
    copied(folder(tmp_path / "there", 1, 5)).close(ended=False)
    here = folder(tmp_path / "here", *ticks, run=run) if ticks else tmp_path / "here"
    assert CheckpointCopy(URL, {}).fetch(here) == expected
    tick = CheckpointFolder(here).read().checkpoint.tick
    assert tick == (ticks[0] if expected == "local" else 5)


def test_a_life_that_was_replaced_stops_to_copy(tmp_path: Path) -> None:
    older = copied(folder(tmp_path / "older", 1))
    newer = copied(folder(tmp_path / "newer", 1, 5), resumed=True)
    folder(tmp_path / "older", 9)
    older.close(ended=True)
    assert f"{9:012}.state" not in names()
    assert "ended" not in names()
    newer.close(ended=True)
    assert names() == {"ended"}


def test_a_new_run_does_not_replace_one_that_was_killed(tmp_path: Path) -> None:
    copied(folder(tmp_path / "one", 1)).close(ended=False)
    with pytest.raises(UsageError, match="continue it with --resume, or delete it"):
        copied(folder(tmp_path / "two", 0))


@pytest.mark.parametrize(
    ("url", "shard", "place"),
    [
        ("s3://bucket/run/", WHOLE, "s3://bucket/run"),
        ("s3://bucket/run", Shard(1, 4), "s3://bucket/run/1-of-4"),
        ("s3://bucket/{shard}/run", Shard(1, 4), "s3://bucket/1-of-4/run"),
        ("", Shard(1, 4), ""),
    ],
)
def test_each_shard_has_its_place(url: str, shard: Shard, place: str) -> None:
    assert url_of_shard(url, shard) == place


def test_a_url_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Protocol not known: nowhere"):
        CheckpointCopy("nowhere://x", {})
    for name in (f"{1:012}.state", "owner"):
        STORE.pipe_file(f"/bucket/ck/{name}", b"torn")
    assert CheckpointCopy(URL, {}).fetch(tmp_path / "ck") == "copied"
    with pytest.raises(CheckpointError, match="no checkpoint can be read"):
        CheckpointFolder(tmp_path / "ck").read()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("bucket/ck", "must begin with a scheme"),
        ("s3://", "must name a place after the scheme"),
        ("file:///", "must name a place after the scheme"),
        ("://bucket", "must name a place after the scheme"),
        ("s3://key:secret@bucket", "must not have credentials"),
    ],
)
def test_a_url_names_a_scheme_and_a_place(tmp_path: Path, url: str, said: str) -> None:
    lives = Lives(tmp_path, HEAD + SMALL)
    with pytest.raises(UsageError, match=said):
        lives.plan(lives.first, f'checkpoint.url="{url}"')
