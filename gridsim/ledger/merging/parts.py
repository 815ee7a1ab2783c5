"""The ledgers of the shards of a run, opened and checked before they are merged."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from gridsim.errors import UsageError
from gridsim.ledger.columns import Ints
from gridsim.ledger.file import is_written
from gridsim.ledger.reader import NotALedger, Reader

T = TypeVar("T")

_SAME: Final = {
    "gridsim": "versions of gridsim",
    "seed": "seeds",
    "start_ms": "starts",
    "tick_ms": "tick_s",
    "configuration": "configurations",
    "timezone": "time zones",
    "shards": "numbers of shards",
    "events": "events",
}
"""The keys of `meta` that all shards have in common, with their names in errors."""
_OF_SHARD: Final = ("shard", "shards", "projects", "devices", "events")
"""The keys of `meta` that only the ledger of a shard has."""
_UNION: Final = ("plugins", "caveats")
"""The keys of `meta` with an entry for each plugin that a shard uses."""
_NAMED: Final = 5
_BLOCK: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class ShardLedger:
    """The ledger of one shard, and the numbers of its projects and devices in the merged one."""

    reader: Reader
    shard: int
    project: Ints
    device: Ints

    @property
    def name(self) -> str:
        return f"shard {self.shard} ({self.reader.path})"


def open_parts(paths: Sequence[Path], stack: ExitStack) -> list[ShardLedger]:
    """Open the ledgers of all shards of a run, in the order of the shards; `stack` closes them.

    Raises UsageError if they are not those of all shards of one run, or if a run writes one.
    """
    readers: dict[int, Reader] = {}
    for path in paths:
        reader = stack.enter_context(Reader(path))
        if "shard" not in reader.meta:
            kind = "already merged" if "merged" in reader.meta else "of a whole run, not of a shard"
            raise UsageError(f"{path}: error: the ledger is {kind}, so there is nothing to merge")
        if is_written(path):
            raise UsageError(f"{path}: error: a run is still writing it; wait until that run ends")
        shard = int(reader.meta["shard"])
        if shard in readers:
            raise UsageError(
                f"{path}: error: shard {shard} is given twice: {readers[shard].path} is the other"
            )
        readers[shard] = reader
    if not readers:
        raise UsageError("error: there is no ledger to merge")
    ordered = [readers[shard] for shard in sorted(readers)]
    for reader in ordered[1:]:
        _check_same(ordered[0], reader)
    count = int(ordered[0].meta["shards"])
    missing = [str(shard) for shard in range(count) if shard not in readers]
    if missing:
        more = "" if len(missing) <= _NAMED else f" and {len(missing) - _NAMED:,} more"
        raise UsageError(
            f"error: the run has {count:,} shards, and the ledgers of {len(readers):,} of them are "
            f"given: shard {', '.join(missing[:_NAMED])}{more} "
            f"{'is' if len(missing) == 1 else 'are'} missing"
        )
    return _numbered(ordered)


def joined_meta(parts: Sequence[ShardLedger]) -> dict[str, Any]:
    """Return the rows of `meta` of the merged ledger, in the order of an ordinary one."""
    metas = [part.reader.meta for part in parts]
    meta = {key: value for key, value in metas[0].items() if key not in _OF_SHARD}
    for key in _UNION:
        meta[key] = json.dumps(_union(parts, key))
    meta["run"] = _run([str(one["run"]) for one in metas])
    meta["earlier"] = sum(one.get("earlier", 0) for one in metas)
    meta["ticks"] = max(_ticks(part.reader) for part in parts)
    meta["complete"] = int(all(one["complete"] for one in metas))
    meta["merged"] = json.dumps(
        [
            {
                "shard": part.shard,
                "run": part.reader.meta["run"],
                "ledger": part.reader.path.name,
                "projects": len(part.project),
                "devices": len(part.device),
                "ticks": _ticks(part.reader),
                "complete": bool(part.reader.complete),
            }
            for part in parts
        ]
    )
    return meta


def uneven_ticks(parts: Sequence[ShardLedger]) -> list[int]:
    """Return the number of ticks of each shard if they differ; else nothing."""
    ticks = [_ticks(part.reader) for part in parts]
    return [] if len(set(ticks)) == 1 else ticks


def _ticks(reader: Reader) -> int:
    if reader.meta["ticks"]:
        return int(reader.meta["ticks"])
    return int(reader.rows("SELECT ifnull(max(tick), -1) + 1 FROM batches")[0][0])


def _run(runs: Sequence[str]) -> str:
    """Return the id of the run: the one of all shards, or one made from theirs."""
    if len(set(runs)) == 1:
        return runs[0]
    import hashlib

    return hashlib.sha256(" ".join(runs).encode()).hexdigest()[:32]


def _union(parts: Sequence[ShardLedger], key: str) -> Mapping[str, str]:
    """Return the entries of all shards. Raises UsageError if two differ."""
    found: dict[str, str] = {}
    for part in parts:
        for name, value in json.loads(part.reader.meta.get(key, "{}")).items():
            if found.setdefault(name, value) != value:
                raise UsageError(
                    f"{part.reader.path}: error: it was written with another version of the "
                    f"{name} than the other shards"
                )
    return found


def _check_same(one: Reader, other: Reader) -> None:
    for key, name in _SAME.items():
        if one.meta.get(key) != other.meta.get(key):
            raise UsageError(
                f"{other.path}: error: it is not a shard of the same run as {one.path}: their "
                f"{name} differ"
            )
    if one.transports() != other.transports():
        raise UsageError(
            f"{other.path}: error: it is not a shard of the same run as {one.path}: their "
            "transports differ"
        )


def _numbered(readers: Sequence[Reader]) -> list[ShardLedger]:
    """Number projects and devices as the ledger of one run would.

    Those of the start come in the order of the shards, which is that of the configuration; then
    those that reloads added.
    """
    numbers = []
    for key, table in (("projects", "projects"), ("devices", "devices")):
        counts = [int(one.rows(f"SELECT count(*) FROM {table}")[0][0]) for one in readers]
        first = [min(int(one.meta[key]), n) for one, n in zip(readers, counts, strict=True)]
        starts = np.cumsum([0, *first])
        more = np.cumsum([starts[-1], *np.subtract(counts, first)])
        numbers.append(
            [
                np.concatenate((start + np.arange(n), later + np.arange(count - n)))
                for start, n, later, count in zip(
                    starts[:-1].tolist(), first, more[:-1].tolist(), counts, strict=True
                )
            ]
        )
    return [
        ShardLedger(reader, int(reader.meta["shard"]), project, device)
        for reader, project, device in zip(readers, *numbers, strict=True)
    ]


def by_tick(parts: Sequence[ShardLedger], query: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of all shards, each after the place of its shard, by tick, then by shard.

    The first column of the query is a tick, and its rows are in that order.
    """
    return heapq.merge(
        *(_placed(place, part.reader.each(query)) for place, part in enumerate(parts)),
        key=itemgetter(1),
    )


def merged_by(
    each: Sequence[Iterable[tuple[Any, T]]],
) -> Iterator[tuple[Any, int, T]]:
    """Yield the entries of all shards, which come by their keys: key, place of the shard, entry."""
    return heapq.merge(
        *(_keyed(place, entries) for place, entries in enumerate(each)), key=itemgetter(0, 1)
    )


def tick_at(part: ShardLedger, time_ms: int) -> int:
    """Return the index of the first tick that is not before a time."""
    meta = part.reader.meta
    return -(-(time_ms - int(meta["start_ms"])) // int(meta["tick_ms"]))


def blocks(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows in blocks, which are inserted with few statements."""
    entries = iter(rows)
    while block := list(islice(entries, _BLOCK)):
        yield block


def damaged(part: ShardLedger, why: str) -> NotALedger:
    """Return the error for a ledger whose tables do not fit together."""
    return NotALedger(f"{part.reader.path}: error: the ledger is damaged: {why}")


def _placed(place: int, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield (place, *row)


def _keyed(place: int, entries: Iterable[tuple[Any, T]]) -> Iterator[tuple[Any, int, T]]:
    for key, entry in entries:
        yield key, place, entry
