"""The pictures of a run: the fleet, its events, faults and transports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from html import escape

import numpy as np

from gridsim.api import Floats
from gridsim.helpers.colours import hues
from gridsim.ledger.reductions import MeasuredSettlement, ReductionReport
from gridsim.report.happenings import EVENTS, FATES, EventPicture, FaultStrip, TransportAccount
from gridsim.report.page import (
    Download,
    clock,
    figure,
    key,
    length,
    paragraph,
    plain,
    strips_of,
    table,
    times,
)
from gridsim.report.series import FleetSeries
from gridsim.report.stack import LOAD_STYLE, Stack
from gridsim.report.svg import Chart, strip
from gridsim.text.words import counted, site_time

_FATE_STYLES = {"delivered": "fine", "unconfirmed": "open", "dropped": "lost", "pending": "open"}


def fleet(series: FleetSeries, events: Sequence[EventPicture], timezone: str) -> Iterator[str]:
    """Yield the picture of the fleet: kW by type, load and net."""
    bins, time_ms = series.bins, series.bins.times_ms()
    hue = hues(series.kw)
    stack = Stack(series.kw, series.load_kw)
    chart = Chart(bins.start_ms, bins.end_ms, *stack.extent, timezone, height=340)
    for one in events[:EVENTS]:
        chart.band(one.start_ms, one.end_ms, one.event)
    for layer in stack.layers():
        style = hue[layer.name] if layer.name else LOAD_STYLE
        chart.area(time_ms, layer.lower, layer.upper, style)
    chart.line(time_ms, -series.net_kw, "net")
    names = [*series.kw, "load", "net consumption"]
    styles = [*(hue[name] for name in series.kw), LOAD_STYLE, "line net"]
    rows = zip(
        times(time_ms.tolist()),
        *(kw.tolist() for kw in series.kw.values()),
        series.load_kw.tolist(),
        series.net_kw.tolist(),
        strict=True,
    )
    download = Download("fleet.csv", ["time", *(f"{name} kW" for name in names)], rows)
    caption = (
        f"Power in kW, means of {length(bins.step_ms)}, {clock(timezone)}. Power above zero feeds "
        f"the sites; power below zero is drawn by the load and by devices. The line is below zero "
        "while the sites consume more than they feed. Events are shaded."
    )
    picture = chart.svg("Output of the fleet by type, load and net consumption over time")
    yield figure(picture, caption, download, key(list(zip(styles, names, strict=True))))


def event(one: EventPicture, delivered_kw: Floats, timezone: str) -> Iterator[str]:
    """Yield the picture of one event: target, delivered reduction and violations."""
    bins = one.called.bins
    time_ms = bins.times_ms()
    high = float(np.nanmax(np.concatenate([one.target_kw, delivered_kw]), initial=0.0))
    low = float(np.nanmin(delivered_kw, initial=0.0))
    chart = Chart(bins.start_ms, bins.end_ms, low, high, timezone)
    chart.band(one.start_ms, one.end_ms, one.event)
    violating = one.in_violation / max(one.projects + one.opted_out, 1)
    if violating.any():
        edge = np.repeat(violating * high, 2)
        time = np.repeat(time_ms, 2)
        time[1::2] += bins.step_ms
        chart.area(time, np.zeros(len(edge)), edge, "violation")
    chart.line(time_ms, delivered_kw, "delivered")
    marks = [("line delivered", "delivered")]
    if one.reduces:
        chart.steps(time_ms, one.target_kw, bins.step_ms, "target")
        marks.append(("line target", "target"))
    if violating.any():
        marks.append(("violation", "share of the projects in violation, of the picture's height"))
    rows = zip(
        times(time_ms.tolist()),
        one.target_kw.tolist(),
        delivered_kw.tolist(),
        one.in_violation.tolist(),
        strict=True,
    )
    columns = ["time", "target kW", "delivered kW", "projects in violation"]
    yield f"<h3>{escape(one.event)}</h3>"
    asked = f"of {one.target_kwh:,.2f} kWh " if one.reduces else "kWh "
    yield paragraph(
        f"{site_time(one.start_ms, timezone)} to {site_time(one.end_ms, timezone)}; "
        f"{counted(one.projects, 'project')} took part, {one.opted_out:,} opted out; "
        f"{one.delivered_kwh:,.2f} {asked}delivered",
        "soft",
    )
    if one.violations:
        yield paragraph(f"{counted(one.violations, 'project')} in violation", "bad")
    caption = (
        f"Reduction below the baseline of the projects that took part, kW, means of "
        f"{length(bins.step_ms)}."
    )
    name = f"event-{plain(one.event)}.csv"
    label = f"Target and delivered reduction of the event {one.event}"
    yield figure(chart.svg(label), caption, Download(name, columns, rows), key(marks))
    if one.short:
        yield table(
            ("fell short the most", "target kWh", "delivered kWh", "reason"),
            [(id, f"{goal:,.2f}", f"{kwh:,.2f}", why) for id, goal, kwh, why in one.short],
            numbers=(1, 2),
        )


def settlements(report: ReductionReport) -> Iterator[str]:
    """Yield the sums of each event, settled and true, and all settlements as a table to save."""
    yield "<h3>Settled and true reductions</h3>"
    yield table(
        ("event", "baseline", "projects", "asked kWh", "settled kWh", "true kWh", "error kWh",
         "rebound kWh"),
        [
            (
                one.event,
                one.method,
                f"{one.projects:,}",
                f"{one.target_kwh:,.2f}",
                f"{one.settled_kwh:,.2f}",
                *(
                    f"{round(kwh, 2) + 0.0:{sign},.2f}" if one.measured else "-"
                    for kwh, sign in (
                        (one.true_kwh, ""),
                        (one.error_kwh, "+"),
                        (one.rebound_kwh, "+"),
                    )
                ),
            )
            for one in report.events
        ],
        numbers=(2, 3, 4, 5, 6, 7),
    )  # fmt: skip
    rows = map(astuple, report.settlements)
    columns = [field.name for field in fields(MeasuredSettlement)]
    link = Download("settlements.csv", columns, rows).html()
    yield '<p class="soft">settled: against the baseline; true: against the same homes without '
    yield f"the event; error: settled - true. Every settlement: {link}</p>"


def faults(
    strips: Sequence[FaultStrip], series: FleetSeries, devices: int, timezone: str
) -> Iterator[str]:
    """Yield truth and reported in one picture, and a strip for each fault."""
    bins, time_ms = series.bins, series.bins.times_ms()
    true, reported = series.output_kw, series.reported_kw
    both = np.concatenate([true, reported])
    chart = Chart(
        bins.start_ms,
        bins.end_ms,
        float(np.nanmin(both, initial=0.0)),
        float(np.nanmax(both, initial=0.0)),
        timezone,
        height=200,
    )
    chart.area(time_ms, np.fmin(true, reported), np.fmax(true, reported), "part")
    chart.line(time_ms, reported, "reported")
    chart.line(time_ms, true, "true")
    rows = zip(times(time_ms.tolist()), true.tolist(), reported.tolist(), strict=True)
    yield figure(
        chart.svg("True and reported output of the fleet"),
        f"Output of all devices in kW, means of {length(bins.step_ms)}: true and as sent, each "
        f"scaled to all devices.",
        Download("reported.csv", ["time", "true kW", "reported kW"], rows),
        key([("line true", "true"), ("line reported", "reported"), ("part", "difference")]),
    )
    rows_of = zip(times(time_ms.tolist()), *(o.affected.tolist() for o in strips), strict=True)
    yield figure(
        strips_of(
            (
                one.fault,
                f"{one.type}: {counted(one.episodes, 'episode')}, {counted(one.devices, 'device')}",
                strip(one.affected / max(one.devices, 1), "fault", f"Times of {one.fault}"),
            )
            for one in strips
        ),
        "The times at which each fault affected devices; darker: more devices at once.",
        Download("faults.csv", ["time", *(f"{one.fault} devices" for one in strips)], rows_of),
    )


def transports(accounts: Sequence[TransportAccount], series: FleetSeries) -> Iterator[str]:
    """Yield the account of every transport, and when readings were lost."""
    yield table(
        ("transport", "accepted", *FATES, "sent again", "dropped because"),
        [
            (
                one.name,
                f"{one.accepted:,}",
                *(f"{one.totals[fate]:,}" for fate in FATES),
                f"{one.retries:,}",
                ", ".join(f"{why}: {n:,}" for why, n in one.reasons.items()),
            )
            for one in accounts
        ],
        numbers=(1, 2, 3, 4, 5, 6),
    )
    yield paragraph("accepted = delivered + unconfirmed + dropped + pending, in readings.", "soft")
    stamps = times(series.bins.times_ms().tolist())
    strips = []
    for one in accounts:
        worst = next((f for f in ("dropped", "unconfirmed") if one.totals[f]), "delivered")
        count = one.by_time[worst]
        shares = count / max(int(count.max(initial=0)), 1)
        picture = strip(shares, _FATE_STYLES[worst], f"Readings {worst} by {one.name}")
        strips.append((one.name, f"{worst}: {one.totals[worst]:,}", picture))
    names = [f"{one.name} {fate}" for one in accounts for fate in FATES[:3]]
    columns = [one.by_time[fate].tolist() for one in accounts for fate in FATES[:3]]
    yield figure(
        strips_of(strips),
        "The simulated times of the lost readings, or of all readings if none was lost; darker: "
        "more readings.",
        Download("transports.csv", ["time", *names], zip(stamps, *columns, strict=True)),
    )
