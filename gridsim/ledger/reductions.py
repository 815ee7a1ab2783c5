"""The settled and the true reductions of a ledger, per event and baseline method."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from gridsim.errors import UsageError
from gridsim.helpers.timestamps import rfc3339
from gridsim.ledger.export import write_csv as write_rows
from gridsim.ledger.file import is_ledger
from gridsim.ledger.reader import Reader
from gridsim.wholefile import whole_file

ALL = "all"
"""The name that stands for all events, or for all methods."""
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class MeasuredSettlement:
    """A settlement with the true reduction; energies in kWh, None where the truth is not known."""

    event: str
    project_id: str
    method: str
    start: str
    end: str
    ending: str
    target_kwh: float
    settled_kwh: float
    true_kwh: float | None
    error_kwh: float | None
    """`settled_kwh` minus `true_kwh`."""
    rebound_kwh: float | None
    rebound_s: float | None
    reason: str
    """The reason why the project fell short of its target; empty if it did not."""


@dataclass(frozen=True, slots=True)
class ReductionTotals:
    """The sums over projects that took part, kWh; the true ones over the measured projects."""

    event: str
    method: str
    projects: int
    measured: int
    """The number of projects whose true reduction is known."""
    target_kwh: float
    settled_kwh: float
    true_kwh: float
    error_kwh: float
    """The settled reduction of the measured projects minus their true one."""
    mean_abs_error_kwh: float | None
    """The mean absolute error over the measured projects."""
    rebound_kwh: float
    rebound_s: float | None
    """The longest time that the rebound covers."""


@dataclass(frozen=True, slots=True)
class ReductionReport:
    """The reductions of the events in a ledger."""

    ledger: str
    complete: bool
    settlements: Sequence[MeasuredSettlement]
    """The settlements of projects that took part, in the order in which they ended."""
    opted_out: int
    events: Sequence[ReductionTotals]
    """The totals of each event by method, then over all methods if there are several."""
    methods: Sequence[ReductionTotals]
    """The totals over all events by method, then over all methods if there are several."""
    unmeasured: Sequence[tuple[str, str]]
    """The events without a true reduction, and the reasons."""
    caveats: Mapping[str, str]
    """The caveats of the methods that settlements used, by method."""

    def as_json(self) -> dict[str, Any]:
        """Return the report without its settlements, as data for JSON."""
        return {
            "ledger": self.ledger,
            "complete": self.complete,
            "opted_out": self.opted_out,
            "events": [asdict(one) for one in self.events],
            "methods": [asdict(one) for one in self.methods],
            "caveats": dict(self.caveats),
            "unmeasured": [{"event": event, "reason": why} for event, why in self.unmeasured],
        }


def read_reductions(path: Path) -> ReductionReport:
    """Return the report of a ledger. Raises NotALedger."""
    with Reader(path) as reader:
        rows = reader.rows(
            "SELECT s.event, p.project_id, b.method, s.start_ms, s.end_ms, s.ending, s.target_kw, "
            "s.delivered_kwh, t.true_kwh, t.rebound_kwh, t.rebound_s, s.reason "
            "FROM settlements s JOIN projects p USING (project) JOIN baselines b USING (project) "
            "LEFT JOIN true_reductions t USING (settlement) ORDER BY settlement"
        )
        unmeasured = reader.rows("SELECT event, reason FROM unmeasured ORDER BY rowid")
        complete = reader.complete
        caveats = json.loads(reader.meta.get("caveats", "{}"))
    every = [_measured(row) for row in rows]
    # An event that was superseded at its start has no reading.
    part = [one for one in every if one.ending != "opted out" and one.start < one.end]
    return ReductionReport(
        str(path),
        complete,
        part,
        sum(one.ending == "opted out" for one in every),
        [line for event in _names(one.event for one in part) for line in _lines(part, event)],
        _lines(part, ALL),
        [(str(event), str(reason)) for event, reason in unmeasured],
        {name: caveats[name] for name in _names(one.method for one in part) if name in caveats},
    )


def write_csv(report: ReductionReport, path: Path, *, quote_formulas: bool = False) -> None:
    """Write a line for each settlement. Raises UsageError.

    `quote_formulas` puts an apostrophe before texts that spreadsheets take for formulas.
    """
    if is_ledger(path):
        raise UsageError(f"--csv: error: {path} is a ledger; name another file")
    names = [field.name for field in fields(MeasuredSettlement)]
    try:
        with whole_file(path) as new, new.open("w", newline="", encoding="utf-8") as file:
            write_rows(file, [names])
            rows = ([getattr(one, name) for name in names] for one in report.settlements)
            write_rows(file, rows, quote_formulas=quote_formulas)
    except OSError as error:
        raise UsageError(f"--csv: error: {path} cannot be written: {error.strerror}") from error


def _measured(row: tuple[Any, ...]) -> MeasuredSettlement:
    event, project, method, start_ms, end_ms, ending, target_kw, settled, *truth = row
    true_kwh, rebound_kwh, rebound_s, reason = truth
    return MeasuredSettlement(
        event=event,
        project_id=project,
        method=method,
        start=rfc3339(start_ms),
        end=rfc3339(end_ms),
        ending=ending,
        target_kwh=target_kw * max(end_ms - start_ms, 0) / _MS_PER_HOUR,
        settled_kwh=settled,
        true_kwh=true_kwh,
        error_kwh=None if true_kwh is None else settled - true_kwh,
        rebound_kwh=rebound_kwh,
        rebound_s=rebound_s,
        reason=reason or "",
    )


def _lines(every: Sequence[MeasuredSettlement], event: str) -> list[ReductionTotals]:
    """Return the totals of an event, or of all events, by method."""
    part = [one for one in every if event in (ALL, one.event)]
    methods = _names(one.method for one in part)
    lines = [_totals(event, method, part) for method in methods]
    return lines if len(methods) < 2 else [*lines, _totals(event, ALL, part)]


def _totals(event: str, method: str, every: Sequence[MeasuredSettlement]) -> ReductionTotals:
    part = [one for one in every if method in (ALL, one.method)]
    errors = [one.error_kwh for one in part if one.error_kwh is not None]
    return ReductionTotals(
        event=event,
        method=method,
        projects=len(part),
        measured=len(errors),
        target_kwh=sum(one.target_kwh for one in part),
        settled_kwh=sum(one.settled_kwh for one in part),
        true_kwh=sum(one.true_kwh or 0.0 for one in part),
        error_kwh=sum(errors),
        mean_abs_error_kwh=sum(map(abs, errors)) / len(errors) if errors else None,
        rebound_kwh=sum(one.rebound_kwh or 0.0 for one in part),
        rebound_s=max((one.rebound_s for one in part if one.rebound_s is not None), default=None),
    )


def _names(names: Iterable[str]) -> list[str]:
    """Return the names without repetitions, in order."""
    return list(dict.fromkeys(names))
