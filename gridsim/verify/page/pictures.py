"""The pictures of a comparison: the times of the differences, the fleet, and the worst devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from gridsim.api import Floats
from gridsim.ledger.columns import Ints
from gridsim.report.bins import Bins
from gridsim.report.page import Download, clock, figure, key, length, plain, strips_of, times
from gridsim.report.svg import Chart, strip
from gridsim.text.words import counted, site_time
from gridsim.verify.page.lines import COLUMNS, DeviceLines, FleetLines
from gridsim.verify.page.located import Strip

_CAUSES = 3
_KEY = [
    ("line true", "true"),
    ("line reported", "reported"),
    ("line held", "stored in your system"),
]
_NAMES = {
    "current_output": "Output",
    "power_meter_measurement": "Gross load at the site's meter",
    "baseline": "Baseline",
    "current_soc": "State of charge",
}


def timeline(found: Sequence[Strip], bins: Bins, timezone: str) -> Iterator[str]:
    """Yield the times of all differences."""
    names = [f"{one.kind}, {'explained' if one.explained else 'unexplained'}" for one in found]
    rows = zip(times(bins.times_ms().tolist()), *(o.counts.tolist() for o in found), strict=True)
    yield figure(
        _strips(found),
        f"The times of the readings that differ, {site_time(bins.start_ms, timezone)} to "
        f"{site_time(bins.end_ms, timezone)}; darker: more at once. Red differences are "
        f"unexplained.",
        Download("differences-by-time.csv", ("time", *names), rows),
    )


def fleet(lines: FleetLines, timezone: str, *, has_output: bool) -> Iterator[str]:
    """Yield the output of the fleet: true, reported, and in the user's system."""
    bins, time_ms = lines.bins, lines.bins.times_ms()
    values = np.concatenate([lines.true, lines.reported, lines.held])
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    chart = Chart(bins.start_ms, bins.end_ms, low, high, timezone, height=220)
    chart.area(time_ms, *_sorted(lines.true, lines.reported), "part")
    chart.area(time_ms, *_sorted(lines.reported, lines.held), "violation")
    chart.line(time_ms, lines.reported, "reported")
    chart.line(time_ms, lines.true, "true")
    chart.line(time_ms, lines.held, "held")
    columns = ("time", "true kW", "reported kW", "held kW")
    rows = zip(
        times(time_ms.tolist()),
        lines.true.tolist(),
        lines.reported.tolist(),
        lines.held.tolist(),
        strict=True,
    )
    missing = "" if has_output else " Your data has no current_output, so it has no line."
    yield figure(
        chart.svg("Output of the fleet: true, reported and stored"),
        f"Output of all devices in kW, means of {length(bins.step_ms)}, {clock(timezone)}, each "
        f"scaled to all devices, so that a missing reading does not lower its line.{missing}",
        Download("fleet.csv", columns, rows),
        key([*_KEY, ("part", "made by faults"), ("violation", "not as it was sent")]),
    )


def device(
    lines: DeviceLines,
    found: Sequence[Strip],
    ids: tuple[str, str, str],
    counts: tuple[int, int],
    timezone: str,
    tick_ms: int,
    number: int,
) -> Iterator[str]:
    """Yield one device; `ids` are those of it and its project, and its type.

    `counts` are its differences and the unexplained ones among them.
    """
    der_id, project_id, type = ids
    total, wrong = counts
    yield f"<h3>{escape(der_id)}</h3>"
    yield (
        f'<p class="soft">{escape(type)} of {escape(project_id)}: '
        f"{counted(total, 'difference')}, "
        f'<span class="{"bad" if wrong else "soft"}">{wrong:,} unexplained</span></p>'
    )
    marks, below = key(_KEY), _strips(found, below=True)
    for name in _shown(lines):
        picture = _column(name, lines, timezone, tick_ms)
        if picture is not None:
            text, rows, caption = picture
            unit = COLUMNS[name].unit
            columns = ("time", f"true {unit}", f"reported {unit}", f"held {unit}")
            file = f"device-{number}-{plain(der_id)}-{name}.csv"
            yield figure(text + below, caption, Download(file, columns, rows), marks)
            marks = below = ""
    if below:
        yield f'<figure><div class="wide">{below}</div></figure>'


def _shown(lines: DeviceLines) -> list[str]:
    """Return the fields in which something differs; else the first that the user's data has."""
    differ = [name for name, one in lines.columns.items() if one.differs]
    held = [name for name, one in lines.columns.items() if one.held is not None]
    return differ or [*held, *lines.columns][:1]


def _column(
    name: str, lines: DeviceLines, timezone: str, tick_ms: int
) -> tuple[str, list[Sequence[object]], str] | None:
    """Return the picture of a field, its table and its caption; None if it has no value."""
    one, scale, bins = lines.columns[name], COLUMNS[name].scale, lines.bins
    none = np.empty(0, np.int64), np.empty(0)
    true, reported, held = (
        none if points is None else points.drawn(scale)
        for points in (one.true, one.reported, one.held)
    )
    values = np.concatenate([true[1], reported[1], held[1]])
    if not (~np.isnan(values)).any():
        return None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    chart = Chart(
        bins.start_ms, bins.end_ms, low, high, timezone, height=180, signed=name == "current_output"
    )
    for one_line, other, style in ((true, reported, "part"), (reported, held, "violation")):
        time_ms, first, second = _common(one_line, other)
        chart.area(time_ms, *_sorted(first, second), style)
    chart.line(*reported, "reported")
    chart.line(*true, "true")
    chart.line(*held, "held")
    table: dict[int, list[float]] = {}
    for place, (time_ms, column) in enumerate((true, reported, held)):
        for ms, value in zip(time_ms.tolist(), column.tolist(), strict=True):
            table.setdefault(ms, [np.nan] * 3)[place] = value
    rows: list[Sequence[object]] = [
        (text, *table[ms]) for ms, text in zip(sorted(table), times(sorted(table)), strict=True)
    ]
    every = (
        "every reading"
        if bins.step_ms <= tick_ms
        else f"of each {length(bins.step_ms)} the reading that differs most"
    )
    missing = "" if one.held is not None else f" Your data has no {name}, so it has no line."
    caption = f"{_NAMES[name]} in {COLUMNS[name].unit}, {every}, {clock(timezone)}.{missing}"
    return chart.svg(f"{_NAMES[name]}: true, reported and stored"), rows, caption


def _common(one: tuple[Ints, Floats], other: tuple[Ints, Floats]) -> tuple[Ints, Floats, Floats]:
    """Return the times that two lines share, with the values of both; gaps stay gaps."""
    time_ms, a, b = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    if 10 * len(time_ms) < 9 * min(len(one[0]), len(other[0])):
        # All times differ, so there is no area between the lines to fill.
        time_ms, a, b = time_ms[:0], a[:0], b[:0]
    return time_ms, one[1][a], other[1][b]


def _sorted(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    return np.minimum(one, other), np.maximum(one, other)


def _strips(found: Sequence[Strip], *, below: bool = False) -> str:
    pictures = [
        (
            one.kind,
            _causes(one),
            strip(
                one.counts / max(int(one.counts.max(initial=0)), 1),
                "fault" if one.explained else "lost",
                f"Times of the readings that are {one.kind}",
            ),
        )
        for one in found
    ]
    return strips_of(pictures, below=below)


def _causes(one: Strip) -> str:
    ranked = one.causes.most_common()
    texts = [f"{number:,} {cause}" for cause, number in ranked[:_CAUSES]]
    if len(ranked) > _CAUSES:
        texts.append(f"and {sum(n for _, n in ranked[_CAUSES:]):,} by other causes")
    return ", ".join(texts)
