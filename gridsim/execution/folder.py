"""The folder of a run's checkpoints.

000000000120.state      the newest checkpoint: the state before tick 120
000000000060.state      the one before it
000000000060.journal    the instructions since tick 60
progress                how far the run has got
altering                the injected faults that alter messages
gaps                    the ticks that resumed lives have skipped
ended                   instead of all these, once the run has ended
lock                    locked as long as a run uses the folder
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gridsim.contracts.instructions import Instruction
from gridsim.errors import UsageError, printable
from gridsim.execution.checkpoint import (
    Checkpoint,
    CheckpointError,
    OtherVersionError,
    read_checkpoint,
)
from gridsim.execution.journal import (
    Altering,
    AlteringFile,
    Entries,
    Journal,
    read_altering,
    read_journal,
)
from gridsim.execution.progress import ProgressFile, RunProgress, read_progress
from gridsim.filelock import lock_file
from gridsim.wholefile import whole_file

STATE: Final = re.compile(r"(\d{12})\.state")
_JOURNAL: Final = re.compile(r"(\d{12})\.journal")
COPIED: Final = re.compile(r"\d{12}\.(state|journal)|progress|altering|gaps")
"""The names of the files with which another folder continues the run."""
_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """The files that a run which was killed has left."""

    checkpoint: Checkpoint
    journal: Entries
    progress: RunProgress
    altering: Sequence[Altering] = ()
    """The injected faults that alter messages."""
    gaps: Sequence[tuple[int, int]] = ()
    """The first and last tick of each gap that an earlier life began to skip."""
    warnings: tuple[str, ...] = ()
    """The damages that the reader has worked around."""


class CheckpointFolder:
    """The files of one run's checkpoints. Only the run that holds the lock writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    # Reading, before a run.

    def has_run(self) -> bool:
        """Return whether there is a checkpoint of a run that has not ended. Raises OSError."""
        return bool(self._ticks(STATE)) and not self.has_ended()

    def has_ended(self) -> bool:
        """Return whether the last run in this folder has ended."""
        return (self.path / "ended").exists()

    def read(self, lacks: Callable[[Checkpoint], str] = lambda _: "") -> Kept:
        """Return the newest checkpoint that is whole, with its journal.

        `lacks` returns why a checkpoint cannot be used; "" if it can. Raises CheckpointError if
        none is whole, if the newest whole one is of another version, or if the journal is damaged.
        """
        warnings: list[str] = []
        for tick in sorted(self._ticks(STATE), reverse=True):
            path = self._state(tick)
            try:
                checkpoint = read_checkpoint(path.read_bytes())
                if checkpoint.tick != tick:
                    raise CheckpointError(f"it is of tick {checkpoint.tick:,}")
                if reason := lacks(checkpoint):
                    raise CheckpointError(reason)
            except OtherVersionError as error:
                raise OtherVersionError(f"{path}: error: {error}") from error
            except (CheckpointError, OSError) as error:
                warnings.append(f"{path} is left out: {error}")
                continue
            return self._kept(checkpoint, warnings)
        raise CheckpointError(
            "\n".join([*warnings, f"{self.path}: error: no checkpoint can be read; delete the "
            "folder to start a new run"])
        )  # fmt: skip

    def _kept(self, checkpoint: Checkpoint, warnings: list[str]) -> Kept:
        entries: dict[int, Sequence[Instruction]] = {}
        try:
            for first in sorted(self._ticks(_JOURNAL)):
                # A newer journal has all that is known of its ticks.
                entries = {tick: one for tick, one in entries.items() if tick < first}
                entries.update(read_journal(self._journal(first)))
            altering = read_altering(self.path / "altering")
            gaps = _read_gaps(self.path / "gaps")
            progress = read_progress(self.path / "progress", len(checkpoint.facts.transports))
        except OSError as error:
            raise CheckpointError(f"{self.path}: error: {error.strerror or error}") from error
        if progress is None:
            warnings.append(
                f"{self.path / 'progress'} cannot be read: readings since tick "
                f"{checkpoint.tick:,} are sent again"
            )
        if progress is None or progress.tick < checkpoint.tick:
            number = checkpoint.facts.readings
            count = len(checkpoint.facts.transports)
            progress = RunProgress(checkpoint.tick, readings=number, settled=[number] * count)
        since = {tick: one for tick, one in sorted(entries.items()) if tick >= checkpoint.tick}
        known = {one[0]: one for one in (*checkpoint.facts.altering, *altering)}
        altering = [*known.values()]
        return Kept(checkpoint, since, progress, altering, gaps, tuple(warnings))

    # Writing, in a run.

    def open(self, *, resumed: bool) -> None:
        """Create and lock the folder; unless `resumed`, remove what an earlier run has left.

        Raises UsageError if another run holds it, and OSError.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path / "lock", flags, 0o600)
        if not lock_file(descriptor):
            os.close(descriptor)
            raise UsageError(
                f"[checkpoint] path: error: another run writes its checkpoints to {self.path}: "
                "name another folder"
            )
        self._lock = descriptor
        if not resumed:
            self._remove_files()
        (self.path / "ended").unlink(missing_ok=True)

    def write(self, tick: int, data: bytes) -> None:
        """Write a checkpoint whole and durably, and remove those before the last two.

        Raises OSError; the older checkpoints then stay.
        """
        with whole_file(self._state(tick)) as path:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            path.chmod(0o600)
        self._state(tick).chmod(0o600)
        _synchronise(self.path)
        states = sorted(self._ticks(STATE))
        for old in states[:-_KEPT]:
            self._state(old).unlink(missing_ok=True)
        for old in self._ticks(_JOURNAL):
            if old < states[-_KEPT:][0]:
                self._journal(old).unlink(missing_ok=True)

    def clear_after(self, tick: int) -> None:
        """Remove the checkpoints and journals after a tick, which an earlier life wrote."""
        for later in self._ticks(STATE):
            if later > tick:
                self._state(later).unlink(missing_ok=True)
        for later in self._ticks(_JOURNAL):
            if later > tick:
                self._journal(later).unlink(missing_ok=True)

    def journal(self, tick: int, entries: Entries) -> Journal:
        """Begin the journal of a checkpoint with the entries that are known. Raises OSError."""
        return Journal(self._journal(tick), entries)

    def altering(self, known: Sequence[Altering]) -> AlteringFile:
        """Begin the file of the faults that alter messages. Raises OSError."""
        return AlteringFile(self.path / "altering", known)

    def write_gaps(self, gaps: Sequence[tuple[int, int]]) -> None:
        """Write the gaps of this life and of earlier ones. Raises OSError."""
        with whole_file(self.path / "gaps") as path:
            path.write_bytes(msgspec.json.encode(gaps))

    def progress(self, progress: RunProgress) -> ProgressFile:
        """Begin the progress file. Raises OSError."""
        return ProgressFile(self.path / "progress", progress)

    def end(self) -> None:
        """Remove all files, and note that the run has ended. Raises OSError.

        Without the lock the files are those of another run, and stay.
        """
        if self._lock < 0:
            return
        (self.path / "ended").touch(0o600)
        self._remove_files()

    def close(self) -> None:
        """Release the lock; a second call does nothing."""
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _remove_files(self) -> None:
        for path in (
            *map(self._state, self._ticks(STATE)),
            *map(self._journal, self._ticks(_JOURNAL)),
            self.path / "progress",
            self.path / "altering",
            self.path / "gaps",
        ):
            path.unlink(missing_ok=True)

    def _state(self, tick: int) -> Path:
        return self.path / f"{tick:012}.state"

    def _journal(self, tick: int) -> Path:
        return self.path / f"{tick:012}.journal"

    def _ticks(self, pattern: re.Pattern[str]) -> list[int]:
        try:
            names = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = ((pattern.fullmatch(name), name) for name in names)
        return [int(match[1]) for match, name in found if match and (self.path / name).is_file()]


def _read_gaps(path: Path) -> list[tuple[int, int]]:
    """Return the gaps in a file; none if there is no such file. Raises OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[tuple[int, int]])
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise CheckpointError(f"{path}: error: the file is damaged: {printable(error)}") from error


def unusable_folder(path: Path) -> str | None:
    """Return the reason why a new run cannot keep its checkpoints in a folder, or None."""
    if os.path.lexists(path) and not path.is_dir():
        return f"{path} is not a folder; name another"
    if CheckpointFolder(path).has_run():
        return (
            f"{path} has the checkpoint of a run that was killed, or still runs: continue it with "
            "--resume, or delete the folder"
        )
    folder = path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{path} cannot be created: {folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be created: no permission to write in {folder.absolute()}"
    return None


def _synchronise(folder: Path) -> None:
    """Make the new names in a folder durable, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
