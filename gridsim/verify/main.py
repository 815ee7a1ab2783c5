"""The steps of `gridsim verify`, from its options to its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from gridsim.errors import NeverConnectedError, UsageError
from gridsim.helpers.tables import Decimal
from gridsim.ledger import NotALedger, Reader
from gridsim.running.plan import Options
from gridsim.text.progress import Progress
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.comparison import Comparison, compare_readings
from gridsim.verify.differences import Differences
from gridsim.verify.evidence import IDENTITY, Evidence
from gridsim.verify.explainer import Explainer
from gridsim.verify.fields import RECEIVED, parse_names, sent_fields, wire_names
from gridsim.verify.inputs import read_file
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.patterns import Patterns
from gridsim.verify.reading import Reading
from gridsim.verify.report import Late, VerifyReport
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.sent import SentWindows
from gridsim.verify.settlement import Verdict, compare
from gridsim.verify.subscriber import Subscriber, find_listener
from gridsim.verify.target import VerifyTarget, find_target
from gridsim.verify.times import Clock
from gridsim.verify.unchanged import Unchanged
from gridsim.verify.values import NULL

_LOOK_S = 0.1
_ANSWER_WARNING_S = 2.0
_PART = 50_000


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The options of the command line."""

    ledger: Path
    files: tuple[str, ...] = ()
    subscribe: Options | None = None
    """The configuration of the transport to subscribe to."""
    quiet_s: float = 2.0
    transport: str | None = None
    fields: tuple[str, ...] = ()
    received_at: str | None = None
    unordered: bool = False
    expect: Path | None = None
    tolerance_kwh: float = 0.01
    tolerance_s: float = 1.0
    tolerate: int = 0
    loose: bool = False
    """In JSON, values may be written as text."""
    time_tolerance_s: float = 0.0
    """The difference of time that is permitted if it cannot confuse two readings."""
    assume_zone: str | None = None
    """The time zone of times without an offset; None: UTC."""
    decimal: str | None = None
    """The decimal mark of CSV; None: it is recognised."""
    arrival_only: bool = False
    """The user's data has no values, only which readings arrived."""


def verify(
    options: VerifyOptions, say: Callable[[str], None], progress: Progress | None = None
) -> VerifyReport:
    """Compare, report to `say` and `progress`, and return the result.

    Raises UsageError for invalid options, and NeverConnectedError if the far end refuses the
    subscription. With `subscribe` it returns when the ledger is complete and no message has
    arrived for `quiet_s`, or when it is interrupted.
    """
    _check(options)
    progress = progress or Progress()
    names = parse_names(options.fields, options.received_at)
    received: _Received | None = None
    transport = options.transport
    if options.subscribe is not None:
        transport, listener = find_listener(options.subscribe, transport)
        progress.begin("receiving")
        received = _listen(options, Subscriber(transport, listener), say)
    with Reader(options.ledger) as reader:
        roster = LedgerRoster.of(reader)
        if not options.files and received is None:
            return _settlements_only(options, reader, roster)
        target = find_target(reader, transport)
        evidence = Evidence(wire_names(target.format_settings, names))
        several = target.note.framing == "project"
        reading = Reading(
            roster,
            evidence,
            Clock(_zone(options.assume_zone), reader.meta["start_ms"]),
            several=several,
            loose=options.loose,
            decimal=_decimal(options.decimal),
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
        return _report(options, reader, target, reading, comparison, notes)


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
    found = Explainer(reader, roster, comparison, evidence)
    differences = found.explain(ordered=not options.unordered)
    seconds = comparison.latencies()
    late = None
    if len(seconds):
        late = Late(len(seconds), *(float(p) for p in np.percentile(seconds, (50, 99))))
    lost = roster.project[reader.unsent().device]
    by_project = np.bincount(lost, None, len(roster.project_id))
    by_project += comparison.unchanged.sent_by_project
    return VerifyReport(
        ledger=str(options.ledger),
        complete=reader.complete,
        transport=target.note.name,
        expected=int(by_project.sum()),
        received=comparison.received,
        differences=differences,
        projects=roster.project_id,
        expected_by_project=by_project.tolist(),
        late=late,
        verdict=_verdict(options, reader),
        notes=[*notes, *_zone_note(options, reading)],
        tolerate=options.tolerate,
        sources=evidence.sources,
        compared=comparison.compared,
        has_values=evidence.has_values or options.arrival_only,
        not_compared=evidence.not_compared(sent_fields(target.format_settings)),
        unreadable_fields=evidence.unreadable_fields(),
        patterns=patterns.find(local=reading.time.local, tolerance_ms=tolerance_ms),
    )


def _settlements_only(options: VerifyOptions, reader: Reader, roster: LedgerRoster) -> VerifyReport:
    """Return the report for settlements without readings."""
    return VerifyReport(
        ledger=str(options.ledger),
        complete=reader.complete,
        transport="none",
        expected=0,
        received=0,
        differences=Differences(len(roster.project_id)),
        projects=(),
        expected_by_project=(),
        late=None,
        verdict=_verdict(options, reader),
        notes=("no readings given: only the settlements are compared",),
        tolerate=options.tolerate,
    )


def _verdict(options: VerifyOptions, reader: Reader) -> Verdict | None:
    if options.expect is None:
        return None
    return compare(
        reader,
        options.expect,
        tolerance_kwh=options.tolerance_kwh,
        tolerance_s=options.tolerance_s,
        clock=Clock(_zone(options.assume_zone), reader.meta["start_ms"]),
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
        raise UsageError(
            f"gridsim verify: error: no record has the field {theirs!r}; other fields there: "
            f"{others}. Name the field with --field {ours}=NAME"
        )


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(name, available_timezones(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"--assume-zone: error: {name!r} is not the name of a time zone, "
            f"such as Europe/Berlin{hint}"
        ) from None


def _zone_note(options: VerifyOptions, reading: Reading) -> list[str]:
    """Return how times without an offset were read, if there were some."""
    if not reading.time.local:
        return []
    if options.assume_zone is None:
        return ["times without an offset are read as UTC; --assume-zone NAME changes that"]
    return [f"times without an offset are read as local times of {options.assume_zone}"]


def _decimal(mark: str | None) -> Decimal | None:
    if mark is None:
        return None
    for known in get_args(Decimal):
        if mark == known:
            return cast("Decimal", known)
    raise UsageError(f"--decimal: error: {mark!r} is neither '.' nor ','")


def _check(options: VerifyOptions) -> None:
    if options.subscribe is None and not options.files and options.expect is None:
        raise UsageError(
            "gridsim verify: error: give files to compare (- is standard input), "
            "--subscribe, or --expect"
        )
    if options.subscribe is not None and options.files:
        raise UsageError("gridsim verify: error: give files or --subscribe, not both")
    if options.subscribe is not None and options.received_at is not None:
        raise UsageError(
            "--received-at: error: needs files; with --subscribe, verify records the time itself"
        )
    for flag, value in (
        ("--quiet", options.quiet_s),
        ("--time-tolerance", options.time_tolerance_s),
        ("--tolerance-kwh", options.tolerance_kwh),
        ("--tolerance-s", options.tolerance_s),
        ("--tolerate", options.tolerate),
    ):
        if not 0 <= value < 1e9:
            raise UsageError(f"{flag}: error: {value:g} is not in the range 0 to a billion")


class _Received:
    """The messages that a subscriber has received."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._bodies: list[bytes] = []
        self._times: list[int] = []

    def collect(self) -> None:
        bodies, times = self._subscriber.take()
        self._bodies += bodies
        self._times += times

    def parts(self, reading: Reading) -> Iterator[Arrivals]:
        parser = JsonParser(reading)
        for start in range(0, len(self._bodies), _PART):
            part = slice(start, start + _PART)
            bodies = self._bodies[part]
            places = range(start + 1, start + len(bodies) + 1)
            yield parser.texts(bodies, places, self._times[part])

    def notes(self, reader: Reader) -> list[str]:
        """Return the reasons why verify may lack readings that the back-end has received."""
        losses, since = self._subscriber.losses, self._subscriber.since_ms
        [(first,)] = reader.rows("SELECT min(wall_ms) FROM offers")
        notes = []
        if not since:
            notes.append(f"verify never subscribed at {self._subscriber.where}")
        elif first is not None and first < since:
            late = (since - first) / 1000
            notes.append(
                f"verify subscribed {late:.1f} s after the run began; start verify before the run"
            )
        if losses:
            notes.append(
                f"verify lost its connection {losses} times, and may have missed readings that "
                "your back-end has received"
            )
        return notes


def _listen(
    options: VerifyOptions, subscriber: Subscriber, say: Callable[[str], None]
) -> _Received:
    """Receive until the run has ended and no message has arrived for `quiet_s`."""
    before = _run_of(options.ledger)
    received = _Received(subscriber)
    subscriber.start()
    announced = warned = False
    began = time.monotonic()
    try:
        while not _over(options.ledger, before):
            subscriber.check()
            if subscriber.refusal:
                raise NeverConnectedError(
                    f"verify cannot subscribe at {subscriber.where}: {subscriber.refusal}"
                )
            if subscriber.subscribed.is_set() and not announced:
                say(f"subscribed at {subscriber.where}; waiting for a run to end")
                announced = True
            elif not (announced or warned) and time.monotonic() - began > _ANSWER_WARNING_S:
                say(f"no answer from {subscriber.where} yet; retrying")
                warned = True
            received.collect()
            time.sleep(_LOOK_S)
        ended = time.monotonic()
        while time.monotonic() - max(subscriber.last_at, ended) < options.quiet_s:
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        say("interrupted; comparing what has arrived")
    finally:
        subscriber.stop()
        received.collect()
    subscriber.check()
    return received


def _over(path: Path, before: str) -> bool:
    """Return whether the ledger of a run other than `before` is complete."""
    try:
        with Reader(path) as reader:
            return reader.complete and reader.meta["run"] != before
    except NotALedger:
        return False


def _run_of(path: Path) -> str:
    """Return the run's id of a complete ledger at `path`; empty if there is none."""
    try:
        with Reader(path) as reader:
            return str(reader.meta["run"]) if reader.complete else ""
    except NotALedger:
        return ""
