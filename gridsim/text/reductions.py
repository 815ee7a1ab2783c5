"""The table of settled and true reductions, as `gridsim report` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gridsim.ledger.reductions import ReductionReport, ReductionTotals
from gridsim.text.events import lasting
from gridsim.text.words import counted

_HEAD = ("asked", "settled", "true", "error", "error %", "per project", "rebound")
_TEXTS = 2
"""The number of columns that are texts; the others are numbers."""


def report_lines(report: ReductionReport) -> list[str]:
    """Return the report in lines."""
    return [*_lines(report)]


def _lines(report: ReductionReport) -> Iterator[str]:
    if not report.complete:
        yield (
            f"{report.ledger} is incomplete: the run has not ended, or was killed. Events that "
            "were open then are missing."
        )
    if not report.settlements:
        yield f"{report.ledger} has no settlement: no event has ended for a project."
    else:
        yield from _table(report.events, "projects")
        if len({line.event for line in report.events}) > 1:
            yield ""
            yield from _table(report.methods, "settlements")
        yield ""
        yield from _notes(report)
    for event, reason in report.unmeasured:
        yield f"The true reduction of {event} is not known: {reason}."


def _table(lines: Sequence[ReductionTotals], counted_as: str) -> Iterator[str]:
    rows = [("event", "baseline", counted_as, *_HEAD), *map(_row, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if column < _TEXTS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _row(line: ReductionTotals) -> tuple[str, ...]:
    known = line.measured > 0
    return (
        line.event,
        line.method,
        f"{line.projects:,}",
        f"{line.target_kwh:,.2f}",
        f"{line.settled_kwh:,.2f}",
        f"{line.true_kwh:,.2f}" if known else "-",
        _signed(line.error_kwh) if known else "-",
        _share(line),
        "-" if line.mean_abs_error_kwh is None else f"{line.mean_abs_error_kwh:,.3f}",
        _signed(line.rebound_kwh) if known and line.rebound_s else "-",
    )


def _signed(kwh: float) -> str:
    """Return an energy with its sign, but without one for zero."""
    text = f"{kwh:+,.2f}"
    return "0.00" if float(text.replace(",", "")) == 0.0 else text


def _share(line: ReductionTotals) -> str:
    """Return the error as a share of the true reduction."""
    if not line.measured or abs(line.true_kwh) < 0.005:
        return "-"
    return f"{100.0 * line.error_kwh / abs(line.true_kwh):+,.0f}"


def _notes(report: ReductionReport) -> Iterator[str]:
    yield "Energies in kWh. asked: the target over the event. settled: against the baseline."
    for method, caveat in report.caveats.items():
        yield f"{method}: {caveat}."
    measured = sum(one.true_kwh is not None for one in report.settlements)
    if measured:
        rebound_s = max(one.rebound_s or 0.0 for one in report.settlements)
        yield "true: against the same homes without the event. error: settled - true."
        yield "per project: the mean size of the error of a project."
        if rebound_s:
            after = lasting(round(rebound_s * 1000))
            yield f"rebound: the reduction in the {after} after the event; negative: more is drawn."
    missing = len(report.settlements) - measured
    if not measured:
        yield (
            "The ledger has no true reductions: the run had [ledger] counterfactual = false, or "
            "ended too early."
        )
    elif missing:
        yield (
            f"{counted(missing, 'settlement')} without a true reduction: not counted in true, "
            "error and rebound."
        )
    if report.opted_out:
        yield f"{counted(report.opted_out, 'settlement')} of projects that opted out: not counted."
