"""Single homes: base load, switching, days, weeks, and the simultaneous power of many homes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import utc_ms
from benchmarks.realism.homes_plots import plot_curves, plot_days, plot_street, plot_weeks
from benchmarks.realism.household import homes_of
from benchmarks.realism.measured import SOURCE
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, near, note
from gridsim.api import Floats
from gridsim.testing import make_tick

_FLOOR = "standby and cold appliances of homes: 70 to 250 W"
_CLNR = "Customer-Led Network Revolution, report CLNR-L217 (2015)"
_HIGH = "few cook or wash at night"
_KWH = 4500.0
_TUESDAY = "2026-01-12T23:00:00"
_GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_CLASSES = ((0.05, 0.1), (0.1, 0.2), (0.2, 0.5), (0.5, 1.0), (1.0, 1.4), (1.4, 2.0), (2.0, 3.0),
            (3.0, 9.0))  # fmt: skip
"""The limits of the switch-on events that are counted together, kW."""


def run(plots: Path) -> Group:
    about = f"""Homes near Berlin of {_KWH:g} kWh a year in the mean, with the defaults: their
annual energies differ by a lognormal factor. The night is that of 1,000 homes on a Tuesday in
January at ticks of 10 s, in local time; a home's floor is the value that it stays above for 90 % of
the time between 02 and 04 h. The week is one of 200 homes in January at a minute, the year one of
60 homes at 15 minutes. The maximum demand of many homes is that of a Thursday evening in January,
17 to 20 h, of 10,000 homes at a second: the mean, over all groups of a size, of the group's largest
power, divided by the number of homes. The measured days are those of {SOURCE}; they are shown for
the eye."""
    week, year = _week(), _year()
    peaks, half_hours = _demand()
    night, floor = _night()
    weekly, counts = _weekly(week)
    checks = [*night, *weekly, *_yearly(year), *_diversity(peaks, half_hours)]
    plot_days(plots, _run(1, _TUESDAY, 1.0, 86_400, 5500.0)[:, 0],
              _run(1, "2026-07-13T22:00:00", 1.0, 86_400, 5500.0)[:, 0])  # fmt: skip
    # The second twenty homes: one of the first draws 22 MWh a year, as one home in 3,000 does.
    plot_street(plots, _run(40, "2026-01-16T23:00:00", 60.0, 1440)[:, 20:])
    plot_weeks(plots, week[:, [3, 7, 11]])
    events = {f"{low:g} to {high:g}": count for (low, high), count in zip(_CLASSES, counts,
                                                                          strict=True)}  # fmt: skip
    plot_curves(plots, (peaks, half_hours), year, events, floor)
    figures = [
        Figure("home-days.png", f"A measured day in December ({SOURCE}), and a home of gridsim of "
               "5,500 kWh a year: a winter day as means of a minute and at a second, a summer day "
               "at a second, and an hour of the winter's evening."),
        Figure("home-street.png", "A Saturday in January of twenty homes in a street, at a "
               "minute, and their sum."),
        Figure("home-weeks.png", f"Five measured days ({SOURCE}), and a week in January of three "
               "homes of gridsim; means of five minutes."),
        Figure("home-curves.png", "The largest power per home of groups of homes, beside published "
               "values; the load duration curve of ten homes over a year, and the mean of sixty; "
               "switch-on events by power; the night's floor of 1,000 homes."),
    ]  # fmt: skip
    return Group("Single homes", about, checks, figures)


def _run(n: int, start: str, tick_s: float, ticks: int, kwh: float = _KWH) -> Floats:
    """Return the power, kW, [tick, home]."""
    load, start_ms = homes_of(n, kwh), utc_ms(start)
    return np.array(
        [load.at(make_tick(i, start_ms=start_ms, tick_s=tick_s)) for i in range(ticks)],
        np.float32,
    )


def _night() -> tuple[list[Check], Floats]:
    """Return the checks of the night, and the floor of each home, kW."""
    load = _run(1000, "2026-01-13T00:00:00", 10.0, 4 * 360)
    deep = load[360:1080]
    floor = np.quantile(deep, 0.1, axis=0)
    started = float((np.diff(load, axis=0) > 1.4).sum() / 1000.0)
    low, middle, high = np.quantile(floor, [0.05, 0.5, 0.95]) * 1000.0
    checks = [
        near("floor of the median home, 02 to 04 h", 130.0, float(middle), _FLOOR, by=20.0,
             unit="W"),
        near("floor of homes, 5 %", 70.0, float(low), _FLOOR, by=10.0, unit="W"),
        near("floor of homes, 95 %", 250.0, float(high), _FLOOR, by=30.0, unit="W"),
        at_most("readings below 50 W, 02 to 04 h", 1.0, float(100.0 * (deep < 0.05).mean()),
                _FLOOR, unit="%"),
        near("appliances above 1.4 kW switched on between 01 and 05 h, per home", 0.12, started,
             _HIGH, by=0.08),
    ]  # fmt: skip
    return checks, floor


def _week() -> Floats:
    return _run(200, "2026-01-11T23:00:00", 60.0, 7 * 1440)


def _weekly(week: Floats) -> tuple[list[Check], list[float]]:
    """Return the checks of the week, and the switch-on events per home and day by class."""
    daily = week.reshape(7, 1440, -1).mean(axis=1)
    half = week.reshape(336, 30, -1).mean(axis=1)
    steps = np.diff(week, axis=0)
    counts = [float(((steps >= low) & (steps < high)).sum()) / (7.0 * week.shape[1])
              for low, high in _CLASSES]  # fmt: skip
    said = ", ".join(
        f"{low:g}-{high:g} kW: {count:.1f}"
        for (low, high), count in zip(_CLASSES, counts, strict=True)
    )
    centred = half - half.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    lag = {k: float(np.median((centred[k:] * centred[:-k]).mean(axis=0) / variance))
           for k in (1, 2, 48)}  # fmt: skip
    hours = week.mean(axis=1).reshape(7, 24, 60).mean(axis=2)[:5].mean(axis=0)
    checks = [
        note("switch-on events per home and day in one-minute means", said, "-"),
        near("energy of a home from day to day, coefficient of variation", 0.30,
             float(np.median(daily.std(axis=0) / daily.mean(axis=0))),
             "measured homes: a quarter to a third", by=0.08),
        note("correlation of a home's half-hours with those 0.5, 1 and 24 h before",
             ", ".join(f"{value:.2f}" for value in lag.values()), "-"),
        near("mean power 18 to 20 h over that of 02 to 05 h, weekdays", 4.52,
             float(hours[18:20].mean() / hours[2:5].mean()), "VDEW, BDEW: H0 in winter", rel=0.1),
    ]  # fmt: skip
    return checks, counts


def _year() -> Floats:
    return _run(60, "2025-12-31T23:00:00", 900.0, 365 * 96)


def _yearly(year: Floats) -> list[Check]:
    keys = 20_000
    load = homes_of(keys, _KWH)
    annual = load.expected(utc_ms(_TUESDAY))
    days = year.reshape(365, 96, -1)
    still = (days.max(axis=1) < 0.4).mean(axis=1)
    lasting = np.sort(year, axis=0)[::-1].mean(axis=1)
    mean = lasting.mean()
    return [
        near("annual energy of homes, coefficient of variation", 0.5,
             float(annual.std() / annual.mean()), "lognormal, about half", by=0.06),
        note("load duration of a home, mean of 60: power over its mean for 0.1, 1, 10, 50, 90 % "
             "of the year", ", ".join(f"{lasting[int(q * len(lasting))] / mean:.2f}"
                                      for q in (0.001, 0.01, 0.1, 0.5, 0.9)), "-"),
        near("days of a year in which no quarter-hour reaches 0.4 kW", 5.5,
             100.0 * float(still.mean()), "about 20 days a year away", by=3.5, unit="%"),
    ]  # fmt: skip


def _demand() -> tuple[dict[int, float], dict[int, float]]:
    """Return the largest power per home by size of group: in a second, and in half an hour."""
    n, ticks = _GROUPS[-1], 3 * 3600
    load, start_ms = homes_of(n, _KWH), utc_ms("2026-01-15T16:00:00")
    peak = {size: np.zeros(n // size) for size in _GROUPS}
    half_peak = {size: np.zeros(n // size) for size in _GROUPS}
    total = np.zeros(n)
    for index in range(ticks):
        now = load.at(make_tick(index, start_ms=start_ms, tick_s=1.0))
        total += now
        for size in _GROUPS:
            np.maximum(peak[size], now.reshape(-1, size).mean(axis=1), out=peak[size])
        if (index + 1) % 1800 == 0:
            for size in _GROUPS:
                mean = total.reshape(-1, size).mean(axis=1) / 1800.0
                np.maximum(half_peak[size], mean, out=half_peak[size])
            total[:] = 0.0
    return tuple({size: float(one[size].mean()) for size in _GROUPS} for one in (peak, half_peak))  # type: ignore[return-value]


def _diversity(peaks: dict[int, float], half_hours: dict[int, float]) -> list[Check]:
    said = ", ".join(f"{size}: {peaks[size]:.2f} / {half_hours[size]:.2f}" for size in _GROUPS)
    return [
        note("largest power per home by number of homes, of a second / of half an hour, kW", said,
             "-"),
        note("100 homes, half-hour, over a year in Britain (electric showers and kettles)",
             f"{half_hours[100]:.2f} kW; {_CLNR}: 1.5 kW", "-"),
        near("10,000 homes, half-hour", 0.268 * _KWH / 1000.0, half_hours[10_000],
             "VDEW, BDEW: peak of H0 on a Saturday; less on a Thursday", rel=0.2, unit="kW"),
        at_least("10 homes over 10,000, a second", 1.6, peaks[10] / peaks[10_000],
                 "diversity of homes"),
        at_least("one home in an evening, a second", 3.0, peaks[1], "two large appliances",
                 unit="kW"),
    ]  # fmt: skip
