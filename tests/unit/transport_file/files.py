"""The file transport in a test, and what its files hold."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from gridsim.api import Batch, Framing, Roster
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    make_roster,
    make_run,
)
from gridsim_plugins.transports.file import File, FileTransportSettings


class WithHeader(PlainFormat):
    header = b"# who and when"


def made(
    path: Path,
    roster: Roster | None = None,
    *,
    framing: Framing = "der",
    header: bool = False,
    **settings: Any,
) -> File:
    roster = roster if roster is not None else make_roster()
    chosen = FileTransportSettings(path=str(path), **settings)
    plain = (WithHeader if header else PlainFormat)(chosen, framing, roster)
    return File(chosen, plain, make_run(roster))


def write(file: File, *batches: Batch) -> None:
    file.connect()
    for batch in batches:
        file.write(batch, RecordingReceipt(len(batch)))
    file.close()


def lines_of(batch: Batch) -> list[bytes]:
    return list(
        PlainFormat(FileTransportSettings(path="x"), "der", batch.roster).encode(batch).bodies
    )


def read(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
