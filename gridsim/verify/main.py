"""The steps of `gridsim verify`, from its options to its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.report.write import check_page
from gridsim.text.progress import Progress
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.comparison import Comparison, compare_readings
from gridsim.verify.differences import Differences
from gridsim.verify.evidence import IDENTITY, Evidence
from gridsim.verify.explainer import Explainer
from gridsim.verify.fields import RECEIVED, parse_names, sent_fields, wire_names
from gridsim.verify.ids import changed_ids
from gridsim.verify.inputs import read_file
from gridsim.verify.options import VerifyOptions, check, decimal_of, zone_of
from gridsim.verify.page.write import Compared, write_verify_page
from gridsim.verify.patterns import Patterns
from gridsim.verify.reading import Reading
from gridsim.verify.receiving import Received, listen
from gridsim.verify.report import Late, VerifyReport
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.sent import SentWindows
from gridsim.verify.settlement import SettlementVerdict, compare
from gridsim.verify.subscriber import Subscriber, find_listener
from gridsim.verify.target import VerifyTarget, find_target
from gridsim.verify.times import TimeReader
from gridsim.verify.unchanged import Unchanged
from gridsim.verify.values import NULL


def verify(
    options: VerifyOptions, say: Callable[[str], None], progress: Progress | None = None
) -> VerifyReport:
    """Compare, report to `say` and `progress`, and return the result.

    Raises UsageError for invalid options, and NeverConnectedError if the far end refuses the
    subscription. With `subscribe` it returns when the ledger is complete and no message has
    arrived for `quiet_s`, or when it is interrupted.
    """
    check(options)
    if options.html is not None:
        check_page(options.html, [str(options.expect or options.ledger), *options.files])
    progress = progress or Progress()
    names = parse_names(options.fields, options.received_at)
    received: Received | None = None
    transport = options.transport
    if options.subscribe is not None:
        transport, listener = find_listener(options.subscribe, transport)
        received = listen(options, Subscriber(transport, listener), say, progress)
    with Reader(options.ledger) as reader:
        roster = LedgerRoster.of(reader)
        if not options.files and received is None:
            report = _settlements_only(options, reader, roster)
            _write(options, report, None)
            return report
        target = find_target(reader, transport)
        evidence = Evidence(wire_names(target.format_settings, names))
        several = target.note.framing == "project"
        reading = Reading(
            roster,
            evidence,
            TimeReader(zone_of(options.assume_zone), reader.meta["start_ms"]),
            several=several,
            loose=options.loose,
            decimal=decimal_of(options.decimal),
            on_rows=progress.advance,
        )
        [(readings,)] = reader.rows("SELECT sum(rows) FROM batches")
        progress.begin("reading", readings)
        no_soc = 0 if target.format_settings.get("missing_soc") == "zero" else NULL
        windows = SentWindows(reader, target.index, target.note.framing, no_soc=no_soc)
        unchanged = Unchanged(reader, windows, roster)
        parts = _parts(options.files, reading) if received is None else received.parts(reading)
        rest = unchanged.match(chain([reading.nothing()], parts), evidence)
        progress.begin("comparing")
        _check_names(names, evidence)
        notes = [] if received is None else received.notes(reader)
        by_time = options.received_at is not None and not options.unordered
        tolerance_ms = round(options.time_tolerance_s * 1000)
        comparison = compare_readings(
            unchanged, rest, reading, by_time=by_time, tolerance_ms=tolerance_ms
        )
        report = _report(options, reader, target, reading, comparison, notes)
        _write(options, report, Compared(reader, roster, comparison, evidence))
        return report


def _report(
    options: VerifyOptions,
    reader: Reader,
    target: VerifyTarget,
    reading: Reading,
    comparison: Comparison,
    notes: Sequence[str],
) -> VerifyReport:
    roster, evidence = reading.roster, reading.evidence
    tolerance_ms = round(options.time_tolerance_s * 1000)
    patterns = Patterns(comparison, evidence.names)
    found = Explainer(reader, roster, comparison, evidence, keep=options.html is not None)
    differences = found.explain(ordered=not options.unordered, copies=options.copies)
    seconds = comparison.latencies()
    late = None
    if len(seconds):
        late = Late(len(seconds), *(float(p) for p in np.percentile(seconds, (50, 99))))
    lost = roster.project[reader.unsent().device]
    by_project = np.bincount(lost, None, len(roster.project_id))
    by_project += comparison.unchanged.sent_by_project
    return VerifyReport(
        ledger=str(options.ledger),
        run=str(reader.meta["run"]),
        complete=reader.complete,
        transport=target.note.name,
        expected=int(by_project.sum()),
        received=comparison.received,
        differences=differences,
        projects=roster.project_id,
        expected_by_project=by_project.tolist(),
        late=late,
        verdict=_verdict(options, reader),
        notes=[
            *notes,
            *_unit_notes(evidence),
            *_garbled_note(evidence, comparison),
            *_zone_note(options, reading),
        ],
        tolerate=options.tolerate,
        sources=evidence.sources,
        compared=comparison.compared,
        has_values=evidence.has_values or options.arrival_only,
        not_compared=evidence.not_compared(sent_fields(target.format_settings)),
        unreadable_fields=evidence.unreadable_fields(),
        patterns=[
            *changed_ids(evidence.unknown_ids, roster.der_id, comparison.received),
            *patterns.find(local=reading.time.local, tolerance_ms=tolerance_ms),
        ],
    )


def _write(options: VerifyOptions, report: VerifyReport, compared: Compared | None) -> None:
    """Write the page of the report if the options name a file for it."""
    if options.html is not None:
        write_verify_page(options.html, report, compared)


def _settlements_only(options: VerifyOptions, reader: Reader, roster: LedgerRoster) -> VerifyReport:
    """Return the report for settlements without readings."""
    return VerifyReport(
        ledger=str(options.ledger),
        run=str(reader.meta["run"]),
        complete=reader.complete,
        transport="none",
        expected=0,
        received=0,
        differences=Differences(roster.project, len(roster.project_id)),
        projects=(),
        expected_by_project=(),
        late=None,
        verdict=_verdict(options, reader),
        notes=("no readings given: only the settlements are compared",),
        tolerate=options.tolerate,
    )


def _verdict(options: VerifyOptions, reader: Reader) -> SettlementVerdict | None:
    if options.expect is None:
        return None
    return compare(
        reader,
        options.expect,
        tolerance_kwh=options.tolerance_kwh,
        tolerance_s=options.tolerance_s,
        clock=TimeReader(zone_of(options.assume_zone), reader.meta["start_ms"]),
    )


def _parts(files: Sequence[str], reading: Reading) -> Iterator[Arrivals]:
    return (part for name in files for part in read_file(name, reading))


def _check_names(given: Mapping[str, str], evidence: Evidence) -> None:
    """Raise UsageError if no record has a field that the command line names, or an identity."""
    if not evidence.rows:
        return
    for ours, theirs in evidence.names.items():
        if evidence.there[ours] or (ours not in given and ours not in IDENTITY):
            continue
        if ours in given:
            flag = "--received-at" if ours == RECEIVED else f"--field {ours}"
            raise UsageError(f"{flag}: error: no record has a valid value in the field {theirs!r}")
        others = ", ".join(evidence.others[:20]) or "none"
        advice = f"Name the field with --field {ours}=NAME"
        if evidence.nested:
            advice = (
                f"The records are within other objects; extract them: jq -c '{evidence.nested}'"
            )
        raise UsageError(
            f"gridsim verify: error: no record has the field {theirs!r}; other fields there: "
            f"{others}. {advice}"
        )


def _unit_notes(evidence: Evidence) -> list[str]:
    return [f"{name} is in {unit} by its name" for name, unit in evidence.units.items()]


def _garbled_note(evidence: Evidence, comparison: Comparison) -> list[str]:
    """Return the first reason why texts are not records, if most of them are not."""
    garbled, (line, reason) = comparison.unchanged.garbled, evidence.first_reason()
    if not reason or garbled * 2 <= comparison.received:
        return []
    part = f"{garbled:,} of {comparison.received:,}"
    return [f"{part} texts are not records, for example line {line}: it {reason}"]


def _zone_note(options: VerifyOptions, reading: Reading) -> list[str]:
    """Return how times without an offset were read, if there were any."""
    if not reading.time.local:
        return []
    if options.assume_zone is None:
        return ["times without an offset are read as UTC; --assume-zone NAME changes that"]
    return [f"times without an offset are read as local times of {options.assume_zone}"]
