"""The journal: readings that are on the local disk, and not yet in a Parquet file.

A Parquet file can only be read when it is finished. So rows are first appended to an Arrow stream,
which can be read up to its last whole batch, also after the process was killed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from gridsim.api import TransportError

if TYPE_CHECKING:
    import pyarrow

_TARGET = b"gridsim.target"
_END = ".arrows"


class JournalFile:
    """The rows of one Parquet file to be."""

    def __init__(self, folder: str, name: str, target: str, schema: pyarrow.Schema) -> None:
        """Create the file. `target` is the path of the Parquet file below its root."""
        import pyarrow

        self.path = os.path.join(folder, name + _END)
        self.target = target
        self.rows = 0
        self._file = open(self.path, "xb", opener=_private)  # noqa: SIM115 - closed by `close`
        self._stream = pyarrow.ipc.new_stream(
            self._file, schema.with_metadata({_TARGET: target.encode()})
        )

    def append(self, table: pyarrow.Table) -> None:
        """Hand rows to the operating system.

        After an OSError the file ends with the rows before, and must be closed.
        """
        before = self._file.tell()
        try:
            self._stream.write_table(table)
            self._file.flush()
        except OSError:
            self._file.truncate(before)
            raise
        self.rows += table.num_rows

    def close(self) -> None:
        """Close the file; it stays in the folder."""
        try:
            self._stream.close()
            self._file.close()
        except OSError:
            pass  # The end of the stream is not needed to read it.


def waiting_files(folder: str) -> list[str]:
    """Return the paths of the journal files of a folder, the oldest first."""
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(_END)]
    return sorted(paths, key=lambda path: (os.stat(path).st_mtime_ns, path))


def read_journal(path: str) -> tuple[str, Iterator[Any], Any]:
    """Return the target of a journal file, its whole batches, and their schema.

    The target is empty if the process was killed before it wrote the first rows.
    """
    import pyarrow

    file = pyarrow.memory_map(path)
    try:
        reader = pyarrow.ipc.open_stream(file)
    except pyarrow.ArrowInvalid:
        return "", iter(()), None
    target = reader.schema.metadata[_TARGET].decode()
    return target, _whole(reader), reader.schema.remove_metadata()


def _whole(reader: Any) -> Iterator[Any]:
    import pyarrow

    while True:
        try:
            yield reader.read_next_batch()
        except (StopIteration, pyarrow.ArrowInvalid, OSError):
            return


class JournalLock:
    """The lock of a journal's folder; the operating system releases it when the process ends."""

    def __init__(self, folder: str) -> None:
        """Take the lock. Raises TransportError if another run has it."""
        self._file: IO[bytes] | None = None
        if sys.platform == "win32":
            return
        import fcntl

        file = open(os.path.join(folder, "lock"), "ab", opener=_private)  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise TransportError(f"another run uses the journal {folder}", permanent=True) from None
        self._file = file

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
