"""The first pass over a recording: its devices, its times and its step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gridsim.api import Roster
from gridsim.errors import UsageError
from gridsim.play.moments import Moments
from gridsim.play.records import RecordPart, RecordReader
from gridsim.text.progress import Progress

_NEEDED: Final = (
    "current_output",
    "power_meter_measurement",
    "baseline",
    "contract_threshold",
    "connection_start_at",
    "type",
    "nameplate_capacity",
    "is_standalone",
)
_FINEST_MS: Final = 20
_MOST_LATE: Final = 0.1
_COARSE_MS: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class RecordingSurvey:
    """The extent of a recording."""

    roster: Roster
    thresholds: dict[str, float]
    """The last contract threshold of each project, kW."""
    readings: int
    first_ms: int
    """The moment of the first reading, UTC."""
    last_ms: int
    tick_ms: int
    """The largest step in which all moments are whole, or a second."""
    late: int
    """The number of readings with an earlier time than one before them."""
    kind: str
    """The format of the texts: json, csv, or empty for a ledger."""
    lacks: tuple[str, ...] = ()
    """The fields that not every record has, of those that other formats need."""
    unreadable: int = 0
    first_unreadable: str = ""


def survey_file(reader: RecordReader, progress: Progress) -> RecordingSurvey:
    """Read a file once. Raises UsageError if it has no readings, or is not in the order of time."""
    devices: dict[str, tuple[str, Any, Any, Any]] = {}
    thresholds: dict[str, float] = {}
    moments = Moments()
    readings = step = 0
    first = last = None
    kind = ""
    lacks = set[str]()
    progress.begin("reading")

    for moment, part in moments.of((part.time_ms, part) for part in reader.parts()):
        kind = part.kind
        lacks |= {name for name in _NEEDED if None in part.values.get(name, (None,))}
        _note(part, devices, thresholds)
        readings += len(part)
        first = int(moment[0]) if first is None else first
        steps = np.diff(moment, prepend=first if last is None else last)
        step = math.gcd(step, int(np.gcd.reduce(steps)))
        last = int(moment[-1])
        progress.advance(len(part))
    if first is None or last is None:
        why = f": {reader.unreadable.first}" if reader.unreadable.first else ""
        raise UsageError(f"{reader.path}: error: there are no readings{why}")
    # In a file that is sorted by device, the readings of the second device begin again.
    if moments.late_ms > _MOST_LATE * readings * (last - first):
        raise UsageError(
            f"{reader.path}: error: is not in the order of time: {moments.late:,} of {readings:,} "
            "readings have an earlier time than one before them; sort it by time"
        )
    return RecordingSurvey(
        _roster(reader, devices),
        thresholds,
        readings,
        first,
        last,
        step if step >= _FINEST_MS else _COARSE_MS,
        moments.late,
        kind,
        tuple(sorted(lacks)),
        reader.unreadable.count,
        reader.unreadable.first,
    )


def _note(
    part: RecordPart, devices: dict[str, tuple[str, Any, Any, Any]], thresholds: dict[str, float]
) -> None:
    new = [place for place, der_id in enumerate(part.der_id) if der_id not in devices]
    nothing = [None] * len(part)
    columns = [
        part.values.get(name, nothing)
        for name in ("project_id", "type", "nameplate_capacity", "is_standalone")
    ]
    threshold = part.values.get("contract_threshold", nothing)
    for place in new:
        project, *rest = (column[place] for column in columns)
        devices.setdefault(part.der_id[place], (project, *rest))
        if isinstance(threshold[place], int | float):
            thresholds[str(project)] = float(threshold[place])


def _roster(reader: RecordReader, devices: dict[str, tuple[str, Any, Any, Any]]) -> Roster:
    projects: dict[str, list[str]] = {}
    for der_id, (project, *_) in devices.items():
        if not isinstance(project, str) or not project:
            raise UsageError(
                f"{reader.path}: error: the first record of {der_id!r} has no text in "
                f"{reader.name('project_id')!r}; name the field with --field project_id=NAME"
            )
        projects.setdefault(project, []).append(der_id)
    # The devices of a project are next to each other in a roster.
    ordered = [der_id for ids in projects.values() for der_id in ids]
    place = {project: index for index, project in enumerate(projects)}
    rows = [devices[der_id] for der_id in ordered]
    standalone = np.zeros(len(projects), np.bool_)
    for project, _, _, alone in rows:
        standalone[place[project]] = alone is True
    return Roster(
        der_id=ordered,
        project=np.array([place[row[0]] for row in rows], np.intp),
        type=[row[1] if isinstance(row[1], str) else "unknown" for row in rows],
        nameplate_capacity=np.array(
            [row[2] if isinstance(row[2], int | float) else 0.0 for row in rows], np.float64
        ),
        project_id=list(projects),
        is_standalone=standalone,
    )
