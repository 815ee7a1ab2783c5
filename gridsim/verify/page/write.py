"""The page of a comparison, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from gridsim.ledger import Reader
from gridsim.report.bins import Bins
from gridsim.report.page import Download, document, paragraph, times
from gridsim.report.write import write_page
from gridsim.verify.comparison import Comparison
from gridsim.verify.evidence import Evidence
from gridsim.verify.page import pictures
from gridsim.verify.page.lines import COLUMNS, DeviceLines, read_lines
from gridsim.verify.page.located import count_of, rows_of, spans_of, strips, worst_devices
from gridsim.verify.page.result import SAVED, VerifyResult, differences, verdict
from gridsim.verify.report import VerifyReport
from gridsim.verify.roster import LedgerRoster
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import Ints

DEVICES = 16
"""The largest number of devices that get their own pictures."""
DEVICES_OF_MANY = 4
"""The same limit if more than half of the fleet has differences, as with the data of another
run.
"""
_BINS = 480
_FEWEST_TICKS = 60
_FARTHEST_MS = 86_400_000
"""The largest distance from the run at which times in the user's data are still shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The parts of a comparison from which the pictures are made."""

    reader: Reader
    roster: LedgerRoster
    comparison: Comparison
    evidence: Evidence


def write_verify_page(path: Path, report: VerifyReport, compared: Compared | None) -> None:
    """Write the page of a report; without `compared` it has no pictures.

    Raises UsageError if the file cannot be written.
    """
    result = msgspec.convert(report.as_json(), VerifyResult)
    body = [*verdict(result)]
    if compared is None:
        body += differences(result)
    else:
        body.append("<h2>Differences</h2>")
        whole = _whole(compared.reader)
        body += differences(result, _times(report, compared, whole))
        if whole.count:
            body += _lines(report, compared, whole)
    write_page(path, document(f"gridsim verify: {Path(report.ledger).name}", body))


def _whole(reader: Reader) -> Bins:
    """Return the intervals of the whole run; none if it has no readings."""
    start_ms, tick_ms = int(reader.meta["start_ms"]), int(reader.meta["tick_ms"])
    [(ticks,)] = reader.rows("SELECT coalesce(max(tick) + 1, 0) FROM batches")
    if not ticks:
        return Bins(start_ms, tick_ms, 0)
    return Bins.over(start_ms, start_ms + int(ticks) * tick_ms, tick_ms, _BINS)


def _times(report: VerifyReport, compared: Compared, whole: Bins) -> Iterator[str]:
    """Yield the times of all differences."""
    if report.differences.located and whole.count:
        found = strips(report.differences, whole)
        yield from pictures.timeline(found, whole, str(compared.reader.meta["timezone"]))
        yield _saved(report, compared.roster)


def _lines(report: VerifyReport, compared: Compared, whole: Bins) -> Iterator[str]:
    """Yield the pictures of the fleet and of the devices with the most differences."""
    reader, roster, found = compared.reader, compared.roster, report.differences
    tick_ms, zone = int(reader.meta["tick_ms"]), str(reader.meta["timezone"])
    worst = worst_devices(found)
    many = len(worst) > DEVICES and 2 * len(worst) > len(roster.der_id)
    chosen = worst[: DEVICES_OF_MANY if many else DEVICES].tolist()
    held = [name for name in COLUMNS if compared.evidence.there[name]]
    spans = spans_of(found, chosen)
    devices = [
        DeviceLines(device, _zoomed(compared, device, spans.get(device), whole), held)
        for device in chosen
    ]
    fleet = read_lines(reader, compared.comparison, whole, devices)
    yield "<h2>Fleet</h2>"
    yield from pictures.fleet(fleet, zone, has_output="current_output" in held)
    if not devices:
        return
    yield "<h2>Devices</h2>"
    yield paragraph(_shown(len(worst), len(chosen)), "soft")
    yield _saved_devices(report, roster, worst)
    for number, lines in enumerate(devices, 1):
        own = strips(found, lines.bins, lines.device)
        ids = (
            roster.der_id[lines.device],
            roster.project_id[roster.project[lines.device]],
            str(roster.constants["type"][lines.device]),
        )
        counts = count_of(found, lines.device)
        yield from pictures.device(lines, own, ids, counts, zone, tick_ms, number)


def _zoomed(compared: Compared, device: int, span: tuple[int, int] | None, whole: Bins) -> Bins:
    """Return the period that the picture of a device shows: its differences and some time around
    them.
    """
    meta = compared.reader.meta
    start_ms, tick_ms = int(meta["start_ms"]), int(meta["tick_ms"])
    first, last = (whole.start_ms, whole.end_ms) if span is None else span
    arrivals = compared.comparison.arrivals
    own = arrivals.time_ms[(arrivals.device == device) & (arrivals.time_ms != NO_TIME)]
    near = (own >= whole.start_ms - _FARTHEST_MS) & (own <= whole.end_ms + _FARTHEST_MS)
    outside = near & ((own < whole.start_ms) | (own >= whole.end_ms))
    low, high = whole.start_ms, whole.end_ms
    if outside.any():
        low = min(low, int(own[outside].min()))
        high = max(high, int(own[outside].max()) + tick_ms)
        first, last = min(first, low), max(last, int(own[outside].max()))
    around = max((last - first) // 4, _FEWEST_TICKS * tick_ms)
    first = start_ms + (max(first - around, low) - start_ms) // tick_ms * tick_ms
    return Bins.over(first, min(last + around, high), tick_ms, _BINS)


def _shown(count: int, shown: int) -> str:
    if count <= shown:
        return "Every device with differences, around the times of its differences."
    return (
        f"The {shown} devices with the most differences, unexplained ones first, around the "
        f"times of their differences. {count - shown:,} more devices have differences and are "
        "left out."
    )


def _saved(report: VerifyReport, roster: LedgerRoster) -> str:
    """Return a link to a table of all differences."""
    ids = [*roster.der_id, ""]
    projects = [*(roster.project_id[project] for project in roster.project.tolist()), ""]
    rows = [
        (kind, cause, ids[device], projects[device], _time(time_ms))
        for kind, cause, device, time_ms in islice(rows_of(report.differences), SAVED)
    ]
    total = sum(len(one.device) for one in report.differences.located)
    first = f"the first {SAVED:,} of {total:,}, unexplained ones first" if total > SAVED else "all"
    columns = ("difference", "cause", "der_id", "project_id", "time")
    link = Download("differences.csv", columns, rows).html()
    return f'<p class="soft">Each difference with its device and time ({first}): {link}</p>'


def _saved_devices(report: VerifyReport, roster: LedgerRoster, worst: Ints) -> str:
    """Return a link to a table of the devices with differences."""
    by_device = report.differences.by_device
    rows = [
        (
            roster.der_id[device],
            roster.project_id[roster.project[device]],
            *(int(counts[device]) for counts in by_device.values()),
        )
        for device in worst[:SAVED].tolist()
    ]
    first = f"the first {SAVED:,} of {len(worst):,}" if len(worst) > SAVED else "all"
    link = Download("devices.csv", ("der_id", "project_id", *by_device), rows).html()
    return f'<p class="soft">Devices with differences ({first}): {link}</p>'


def _time(time_ms: int) -> str:
    try:
        return "" if time_ms == NO_TIME else times([time_ms])[0]
    except (OverflowError, ValueError):
        return str(time_ms)
