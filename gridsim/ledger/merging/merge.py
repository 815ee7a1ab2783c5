"""The merging of the ledgers of all shards of a run."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from gridsim.errors import UsageError
from gridsim.ledger.file import LedgerError, create, failed, release, unusable
from gridsim.ledger.insert import insert
from gridsim.ledger.merging.dialogue import merge_acknowledgements, merge_instructions
from gridsim.ledger.merging.facts import merge_episodes, merge_unmeasured
from gridsim.ledger.merging.faults import merge_faults
from gridsim.ledger.merging.outcomes import MergedOutcomes
from gridsim.ledger.merging.parts import (
    ShardLedger,
    blocks,
    joined_meta,
    open_parts,
    uneven_ticks,
)
from gridsim.ledger.merging.readings import ROWS, merge_readings, merge_unsent
from gridsim.ledger.merging.settlements import merge_settlements


@dataclass(frozen=True, slots=True)
class MergedLedger:
    """The ledger of a whole run, merged from those of its shards."""

    path: Path
    shards: int
    projects: int
    devices: int
    readings: int
    complete: bool
    """False if a shard was killed, or if the shards ended at different ticks."""
    doubts: tuple[str, ...]
    """The reasons why it is not complete."""


def merge_ledgers(
    parts: Sequence[Path],
    path: Path,
    *,
    overwrite: bool = False,
    way: str = "set overwrite = true",
    rows: int = ROWS,
) -> MergedLedger:
    """Merge the ledgers of all shards of a run into one, as if the run had not been divided.

    Needs memory for about `rows` readings, or for those of a tick. `way` is the way to replace the
    ledger of another run, for errors. Raises UsageError if `parts` are not the ledgers of all
    shards of one run, if a run is still writing one of them, or if `path` is taken; LedgerError if
    it cannot be written. There is then no new file.
    """
    if any(_is_same(path, part) for part in parts):
        raise UsageError(f"{path}: error: it is one of the ledgers to merge; name another file")
    if (problem := unusable(path, overwrite=overwrite, way=way)) is not None:
        raise UsageError(f"error: {problem}")
    with ExitStack() as stack:
        opened = open_parts(parts, stack)
        with _new_ledger(path) as connection:
            return _merge(connection, opened, path, rows)


def _merge(
    connection: sqlite3.Connection, parts: Sequence[ShardLedger], path: Path, rows: int
) -> MergedLedger:
    faults, numbers = merge_faults(parts)
    meta = joined_meta(parts)
    doubts = [f"{part.name} is incomplete" for part in parts if not part.reader.complete]
    if ticks := uneven_ticks(parts):
        doubts.append(f"the shards ended at different ticks: {', '.join(map(str, ticks))}")
    meta["complete"] = int(not doubts)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    projects, devices = _copy_roster(connection, parts)
    insert(connection, "faults", faults)
    _copy_run(connection, parts)
    merge_instructions(connection, parts)
    merge_episodes(connection, parts, numbers)
    merge_settlements(connection, parts)
    merge_unmeasured(connection, parts)
    merge_acknowledgements(connection, parts)
    merge_unsent(connection, parts, numbers)
    [(transports,)] = connection.execute("SELECT count(*) FROM transports")
    outcomes = [MergedOutcomes(parts, transport) for transport in range(transports)]
    readings = 0
    for renumbered in merge_readings(connection, parts, numbers, rows):
        readings += sum(len(one.number) for one in renumbered)
        for outcome in outcomes:
            outcome.write(connection, renumbered)
    return MergedLedger(path, len(parts), projects, devices, readings, not doubts, tuple(doubts))


def _copy_roster(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> tuple[int, int]:
    """Write projects, devices and baselines; return the numbers of the first two."""
    owner: dict[str, ShardLedger] = {}
    for part in parts:
        project, device = part.project, part.device
        for (id,) in part.reader.each("SELECT project_id FROM projects"):
            if (other := owner.setdefault(id, part)) is not part:
                raise UsageError(
                    f"{part.reader.path}: error: the project {id} is in it and in "
                    f"{other.reader.path}, so they are not shards of one run"
                )
        query = "SELECT project, project_id, standalone, threshold FROM projects ORDER BY project"
        _copy(
            connection,
            "projects",
            ((int(project[own]), *more) for own, *more in part.reader.each(query)),
        )
        query = "SELECT device, der_id, project, type, nameplate FROM devices ORDER BY device"
        _copy(
            connection,
            "devices",
            (
                (int(device[own]), id, int(project[of]), *more)
                for own, id, of, *more in part.reader.each(query)
            ),
        )
        _copy(
            connection,
            "baselines",
            (
                (int(project[own]), method)
                for own, method in part.reader.each("SELECT project, method FROM baselines")
            ),
        )
    return sum(len(part.project) for part in parts), sum(len(part.device) for part in parts)


def _copy_run(connection: sqlite3.Connection, parts: Sequence[ShardLedger]) -> None:
    """Write the transports, the reloads and the resumptions."""
    reader = parts[0].reader
    query = "SELECT transport, name, type, format, format_settings, framing FROM transports"
    insert(connection, "transports", reader.rows(f"{query} ORDER BY transport"))
    # Shards without a driver may reload at different ticks.
    query = "SELECT tick, time_ms, configuration, wall_ms FROM reloads ORDER BY reload"
    reloads: dict[tuple[Any, ...], int] = {}
    for part in parts:
        for *reload, wall_ms in part.reader.rows(query):
            reloads[tuple(reload)] = max(wall_ms, reloads.get(tuple(reload), wall_ms))
    rows = sorted(reloads.items(), key=lambda entry: entry[0][0])
    insert(connection, "reloads", [(None, *reload, wall_ms) for reload, wall_ms in rows])
    query = (
        "SELECT wall_ms, tick, handed_on, first_missing, last_missing, on_recovery, gridsim "
        "FROM resumptions ORDER BY resumption"
    )
    resumed = sorted(row for part in parts for row in part.reader.rows(query))
    insert(
        connection,
        "resumptions",
        [(None, *row[:5], wall_ms, row[5]) for wall_ms, *row in resumed],
    )


def _copy(connection: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    for block in blocks(rows):
        insert(connection, table, block)


@contextmanager
def _new_ledger(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a new ledger beside `path`, which becomes `path` at the end of the context.

    After an error it is removed, and `path` stays as it was.
    """
    new = path.with_name(f".gridsim-{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        connection, descriptor = create(new, overwrite=False)
        try:
            with closing(connection):
                # A file that an error leaves behind is removed, so it needs no journal.
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            os.fsync(descriptor)
        finally:
            release(descriptor)
        os.replace(new, path)
    except sqlite3.Error as error:
        raise failed(path, error) from error
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be written: {error.strerror}") from error
    except LedgerError as error:
        raise LedgerError(str(error).replace(str(new), str(path))) from error
    finally:
        for left in path.parent.glob(f"{escape(new.name)}*"):
            with suppress(OSError):
                left.unlink()


def _is_same(path: Path, part: Path) -> bool:
    try:
        return path.samefile(part)
    except OSError:
        return False
