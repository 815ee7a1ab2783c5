"""The files beside a checkpoint: what a kill or another program may leave of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import CallEvent, CancelEvent, ClearFault, Command, InjectFault, Target, Unreadable
from gridsim.errors import GridsimError, UsageError
from gridsim.execution.checkpoint import CheckpointError, RunFacts, checkpoint_bytes
from gridsim.execution.folder import CheckpointFolder
from gridsim.execution.journal import AlteringFile, Journal, read_altering, read_journal
from gridsim.execution.progress import ProgressFile, RunProgress, read_progress

DER, ALL = Target("P", "D"), Target("")
INSTRUCTIONS = (
    Command(DER, "a", "set_power", -3.25, ramp_s=4.0, source="mqtt"),
    CallEvent(ALL, "b", "peak", {"duration_s": 300, "target_kw": 1.5}, "web"),
    CancelEvent(ALL, "c", "peak"),
    InjectFault(Target("P"), "d", "cut", {"type": "truncate", "probability": 0.5}),
    ClearFault(ALL, "e", "cut"),
    Unreadable(DER, "", 'not "JSON\n', "is not JSON", None, "mqtt"),
)


def folder(path: Path, *ticks: int) -> CheckpointFolder:
    made = CheckpointFolder(path)
    made.open(resumed=False)
    for tick in ticks:
        made.write(tick, checkpoint_bytes({"next_tick": tick}, {}, RunFacts(transports=["file"])))
    made.close()
    return made


def test_a_journal_gives_back_every_kind_of_instruction(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.journal", {3: INSTRUCTIONS[:2]})
    journal.append(3, INSTRUCTIONS[2:4])
    journal.append(7, INSTRUCTIONS[4:])
    journal.close()
    found = read_journal(tmp_path / "x.journal")
    assert found == {3: list(INSTRUCTIONS[:4]), 7: list(INSTRUCTIONS[4:])}
    assert [path.name for path in tmp_path.iterdir()] == ["x.journal"]


def test_the_torn_end_of_a_journal_is_left_out(tmp_path: Path) -> None:
    """A process that is killed may have written a part of a line."""
    Journal(tmp_path / "x.journal", {3: INSTRUCTIONS}).close()
    whole = (tmp_path / "x.journal").read_bytes()
    (tmp_path / "x.journal").write_bytes(whole[:-1])
    assert read_journal(tmp_path / "x.journal") == {3: list(INSTRUCTIONS[:-1])}
    (tmp_path / "x.journal").write_bytes(whole.replace(b"\n", b"x\n", 1))
    with pytest.raises(CheckpointError, match="line 1 is damaged"):
        read_journal(tmp_path / "x.journal")


def test_a_newer_journal_has_the_whole_of_its_ticks(tmp_path: Path) -> None:
    made = folder(tmp_path, 2, 5)
    made.journal(2, {2: INSTRUCTIONS[:1], 6: INSTRUCTIONS[:2]}).close()
    made.journal(5, {6: INSTRUCTIONS[4:5]}).close()
    assert made.read().journal == {6: [INSTRUCTIONS[4]]}
    (tmp_path / f"{5:012}.state").unlink()
    assert made.read().journal == {2: [INSTRUCTIONS[0]], 6: [INSTRUCTIONS[4]]}


def test_the_last_two_checkpoints_stay_with_their_journals(tmp_path: Path) -> None:
    made = folder(tmp_path, 0, 3)
    for tick in (0, 3, 9):
        made.journal(tick, {}).close()
    made.write(9, checkpoint_bytes({"next_tick": 9}, {}, RunFacts()))
    names = {path.name for path in tmp_path.iterdir()} - {"lock"}
    assert names == {f"{tick:012}.{kind}" for tick in (3, 9) for kind in ("state", "journal")}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_an_ended_run_leaves_a_note(tmp_path: Path) -> None:
    made = folder(tmp_path / "ck", 0)
    assert made.has_run()
    made.end()
    assert made.has_run(), "without the lock the files are those of another run"
    made.open(resumed=True)
    made.end()
    made.close()
    assert not made.has_run()
    assert made.has_ended()
    # A kill may come between the note and the removal of the files.
    folder_again = CheckpointFolder(tmp_path / "ck")
    (tmp_path / "ck" / f"{0:012}.state").touch()
    assert not folder_again.has_run()
    folder_again.open(resumed=False)
    assert not folder_again.has_run()
    with pytest.raises(UsageError, match="another run writes its checkpoints to"):
        CheckpointFolder(tmp_path / "ck").open(resumed=True)
    folder_again.close()


def test_progress_is_overwritten_in_place(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    file = ProgressFile(path, RunProgress(3, 5, 1.0, 7, [4, 6]))
    file.mark(RunProgress(4, 6, 60.0, 9))
    file.settle(1, 8)
    file.close()
    file.settle(0, 99)
    assert read_progress(path, 2) == RunProgress(4, 6, 60.0, 9, [4, 8])
    assert read_progress(path, 3) is None
    assert read_progress(tmp_path / "none", 1) is None


@settings(max_examples=8)
@given(data=st.binary(max_size=300), at=st.integers(0, 200), flip=st.integers(1, 255))
def test_damage_is_an_error_that_names_the_file_or_is_ignored(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, flip: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    made = folder(path, 4)
    made.journal(4, {4: INSTRUCTIONS}).close()
    made.progress(RunProgress(5, 1, 1.0, 2, [2])).close()
    AlteringFile(path / "altering", [[0, "truncate", "{}"]]).close()
    made.write_gaps([(1, 2)])
    found, errors = list[int](), list[str]()
    for name in (f"{4:012}.journal", "progress", "altering", "gaps", f"{4:012}.state"):
        whole = (path / name).read_bytes()
        flipped = bytearray(whole)
        flipped[at % len(whole)] ^= flip
        for damaged in (data, whole[:at], bytes(flipped)):
            (path / name).write_bytes(damaged)
            try:
                found.append(made.read().checkpoint.tick)
            except GridsimError as error:
                errors.append(str(error))
        (path / name).write_bytes(whole)
    assert set(found) <= {4}
    assert all(str(path) in error for error in errors)
    assert read_altering(path / "altering") == [[0, "truncate", "{}"]]
