"""The comparison of the user's settlement of demand response events with the ledger's.

The user's file is a CSV with a header: event, project_id, reduction_kwh and optionally
violation_start and violation_end (times as in the record), to compare violations. It has one row
per violation interval. An event without a violation has one row in which both are empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridsim.errors import UsageError
from gridsim.helpers.tables import parse_numbers, read_table
from gridsim.helpers.timestamps import rfc3339
from gridsim.ledger import Reader
from gridsim.verify.times import NO_TIME, TimeReader

_NEEDED = ("event", "project_id", "reduction_kwh")
_SPAN = ("violation_start", "violation_end")

Key = tuple[str, str]
Interval = tuple[int, int]


@dataclass(slots=True)
class Claim:
    """The user's settlement of one event for one project."""

    reduction_kwh: float
    violations: list[Interval] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SettlementVerdict:
    """The result of the comparison."""

    compared: int
    """The number of settlements in both the ledger and the user's file."""
    differences: tuple[str, ...]
    """The differences, one line each."""
    violations: bool = True
    """True if the user's file has violations, so that they were compared."""


def read_claims(path: Path, clock: TimeReader | None = None) -> tuple[dict[Key, Claim], bool]:
    """Return the user's settlements, and whether the file has violations. Raises UsageError."""
    try:
        table = read_table(path, (*_NEEDED, *_SPAN))
        columns = {name: table.texts(name) for name in _NEEDED}
        spans = all(table.has(name) for name in _SPAN)
        if not spans and any(table.has(name) for name in _SPAN):
            raise UsageError(
                f"{path}: error: one of the columns violation_start and violation_end is "
                "missing; give both or neither"
            )
        columns |= {name: table.texts(name) for name in _SPAN if spans}
        read = clock or TimeReader()
        for name in _SPAN:
            read.learn(columns.get(name, ()))
        kwh = parse_numbers(columns["reduction_kwh"], table.dialect.decimal).tolist()
    except ValueError as error:
        text = str(error).removeprefix(str(path)).removeprefix(": ").removeprefix(", ")
        raise UsageError(f"{path}: error: {text}") from None
    claims: dict[Key, Claim] = {}
    for row, line in enumerate(table.lines):
        own = {name: column[row] for name, column in columns.items()}
        _add(claims, own, kwh[row], read if spans else None, f"{path}: error: line {line}")
    return claims, spans


def compare(
    reader: Reader,
    path: Path,
    *,
    tolerance_kwh: float,
    tolerance_s: float,
    clock: TimeReader | None = None,
) -> SettlementVerdict:
    """Compare all settlements of the ledger and the user's file. Raises UsageError.

    `clock` reads the times of violations.
    """
    claims, spans = read_claims(path, clock)
    truth = {(note.event, note.project_id): note for note in reader.settlements()}
    found = [
        f"{event} {project}: there is no such settlement in the ledger"
        for event, project in claims
        if (event, project) not in truth
    ]
    for key, note in truth.items():
        claim = claims.get(key)
        name = f"{key[0]} {key[1]}"
        if claim is None:
            found.append(f"{name}: is missing; {note.delivered_kwh:.3f} kWh")
            continue
        # The margin permits a difference of exactly the tolerance, despite rounding errors.
        if abs(claim.reduction_kwh - note.delivered_kwh) > tolerance_kwh + 1e-9:
            found.append(
                f"{name}: {claim.reduction_kwh:.3f} kWh instead of {note.delivered_kwh:.3f}"
            )
        if spans and not _agree(claim.violations, list(note.violations), tolerance_s):
            found.append(
                f"{name}: violations {_shown(claim.violations)} instead of "
                f"{_shown(note.violations)}"
            )
    return SettlementVerdict(len(truth.keys() & claims.keys()), tuple(found), spans)


def _add(
    claims: dict[Key, Claim],
    row: Mapping[str, str],
    reduction: float,
    clock: TimeReader | None,
    at: str,
) -> None:
    """Add a row; `clock` reads the violations, if the file has them."""
    key = (row["event"], row["project_id"])
    if not math.isfinite(reduction):
        raise UsageError(f"{at}: reduction_kwh {row['reduction_kwh']!r} is not a finite number")
    claim = claims.setdefault(key, Claim(reduction))
    if claim.reduction_kwh != reduction:
        raise UsageError(f"{at}: reduction_kwh differs from another row of {key[0]} {key[1]}")
    if clock is None:
        return
    texts = [row[name] for name in _SPAN]
    if texts == ["", ""]:
        return
    start, end = (clock(text) for text in texts)
    if NO_TIME in (start, end) or end < start:
        raise UsageError(f"{at}: {texts[0]!r} to {texts[1]!r} is not a valid time interval")
    claim.violations.append((start, end))


def _agree(ours: list[Interval], theirs: list[Interval], tolerance_s: float) -> bool:
    if len(ours) != len(theirs):
        return False
    return all(
        abs(a - b) <= tolerance_s * 1000
        for one, other in zip(sorted(ours), sorted(theirs), strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _shown(intervals: list[Interval] | tuple[Interval, ...]) -> str:
    if not intervals:
        return "none"
    return ", ".join(f"{rfc3339(start)} to {rfc3339(end)}" for start, end in intervals)
