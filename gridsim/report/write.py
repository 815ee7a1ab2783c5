"""The page of a ledger, as a file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.ledger.file import is_ledger
from gridsim.ledger.reductions import read_reductions
from gridsim.report import pictures
from gridsim.report.bins import Bins
from gridsim.report.happenings import EVENTS, read_accounts, read_events, read_faults
from gridsim.report.page import document, paragraph
from gridsim.report.series import SeriesReader
from gridsim.text.words import counted, site_time
from gridsim.wholefile import check_writable, whole_file

_BINS = 480


def write_report(ledger: Path, path: Path, verified: Sequence[str] = ()) -> None:
    """Write the page of a ledger to `path`; `verified` is what verify found, as HTML.

    Raises NotALedger, and UsageError if the file cannot be written.
    """
    check_page(path)
    write_page(
        path,
        document(f"gridsim: {ledger.name}", [*_sections(ledger), *_verified(ledger, verified)]),
    )


def _verified(ledger: Path, verified: Sequence[str]) -> Iterator[str]:
    yield "<h2>Your data</h2>"
    if verified:
        yield from verified
        return
    yield paragraph("The readings in your system can be compared with this run:", "soft")
    commands = (
        ["gridsim", "verify", str(ledger), "readings.jsonl", "--json", "--html", "verify.html"],
        ["gridsim", "report", str(ledger), "--verify", "verify.json", "-o", "report.html"],
    )
    first, second = map(shlex.join, commands)
    yield f"<pre>{escape(first)} &gt; verify.json\n{escape(second)}</pre>"
    yield paragraph(
        "Then the differences are here, and verify.html shows true, reported and stored values.",
        "soft",
    )


def check_page(path: Path, inputs: Sequence[str] = ()) -> None:
    """Raise UsageError if a page cannot be written to `path`; `inputs` must not be replaced."""
    if is_ledger(path):
        raise UsageError(f"{path}: error: this is a ledger; name another file for the page")
    if path.is_dir():
        raise UsageError(f"{path}: error: this is a folder; name a file for the page")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: error: is not a regular file; name another one for the page")
    if any(_is_same(path, name) for name in inputs):
        raise UsageError(f"{path}: error: this file is read; name another one for the page")
    try:
        check_writable(path)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: error: cannot be written: {why}") from error


def write_page(path: Path, text: str) -> None:
    """Write a page. Raises UsageError if that cannot be done."""
    try:
        # A browser that shows the page never loads a half-written file.
        with whole_file(path) as new:
            new.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: error: cannot be written: {error.strerror}") from error


def _is_same(path: Path, name: str) -> bool:
    try:
        return path.samefile(name)
    except OSError:
        return False


def _sections(path: Path) -> Iterator[str]:
    with Reader(path) as reader:
        meta = reader.meta
        start_ms, tick_ms = int(meta["start_ms"]), int(meta["tick_ms"])
        [(ticks,)] = reader.rows("SELECT coalesce(max(tick) + 1, 0) FROM batches")
        end_ms = start_ms + int(ticks) * tick_ms
        zone = str(meta["timezone"])
        bins = Bins.over(start_ms, end_ms, tick_ms, _BINS)
        events = read_events(reader)
        series, reductions = SeriesReader(reader, bins, [e.called for e in events]).read(reader)
        strips = read_faults(reader, bins)
        accounts = read_accounts(reader, bins)
        [(devices,)] = reader.rows("SELECT count(*) FROM devices")
        [(projects,)] = reader.rows("SELECT count(*) FROM projects")
        [(readings,)] = reader.rows("SELECT coalesce(sum(rows), 0) FROM batches")
    yield f"<h1>{escape(path.name)}</h1>"
    yield paragraph(
        f"{site_time(start_ms, zone)} to {site_time(end_ms, zone)}, ticks of {tick_ms / 1000:g} s, "
        f"seed {meta['seed']}; {counted(devices, 'device')} in {counted(projects, 'project')}, "
        f"{counted(readings, 'reading')}",
        "soft",
    )
    if not reader.complete:
        yield paragraph(
            "The ledger is incomplete: the run has not ended, or was killed. Events that were open "
            "then are missing.",
            "bad",
        )
    if not readings:
        yield paragraph("The run has no readings, so there is nothing to show.")
        return
    yield "<h2>Fleet</h2>"
    yield from pictures.fleet(series, events, zone)
    yield "<h2>Events</h2>"
    if not events:
        yield paragraph("No demand-response event has ended in this run.", "soft")
    for event, delivered_kw in list(zip(events, reductions, strict=True))[:EVENTS]:
        yield from pictures.event(event, delivered_kw, zone)
    if len(events) > EVENTS:
        yield paragraph(f"{len(events) - EVENTS:,} more events are in the table below.")
    if events:
        yield from pictures.settlements(read_reductions(path))
    yield "<h2>Faults</h2>"
    if strips:
        yield from pictures.faults(strips, series, int(devices), zone)
    else:
        yield paragraph("No fault has affected a device in this run.", "soft")
    yield "<h2>Transports</h2>"
    yield from pictures.transports(accounts, series)
