"""The usual air temperature, its spread and its persistence against measured cities."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.realism.drive import utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, near, note
from gridsim.api import Draws, Floats, Sites, identities
from gridsim.helpers import climate
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings

_DATA = Path(__file__).parent / "data"
_GSOD = "Global Surface Summary of the Day (NOAA), 1995 to 2014"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ANNUAL_K, _MONTHLY_K, _WANTED = 1.5, 3.0, 30
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_YEARS, _BASE_C = 12, 18.0


def run(plots: Path) -> Group:
    about = f"""The usual temperature of each month against the means of cities that were not
used to fit it, at their own altitude. So many are held back in six continents: a city counts if
its year is within {_ANNUAL_K} K and each of its months within {_MONTHLY_K} K. Amsterdam and a
place in the plain of the Po are compared with the same tolerances.

The weather `synthetic` at ten cities, every two hours for {_YEARS} years of one seed:
degree-days of {_BASE_C:g} C from daily means, the standard deviation of a day's mean about its
usual course, its correlation with the days that follow, and the daily range. A day's deviation
from the year that was simulated is not taken off: single years differ here as they do there."""
    cities = list(_read("held-back-cities.csv"))
    found, wanted = _months(cities), _table(cities, _MONTHS)
    error = found - wanted
    good = (np.abs(error.mean(axis=0)) <= _ANNUAL_K) & (np.abs(error).max(axis=0) <= _MONTHLY_K)
    continents = {city["continent"] for city, ok in zip(cities, good, strict=True) if ok}
    missed = ", ".join(
        f"{city['city']} ({e.mean():+.1f}, {max(e, key=abs):+.1f})"
        for city, e, ok in zip(cities, error.T, good, strict=True)
        if not ok
    )
    checks = [
        at_least(f"cities within tolerance, of {len(cities)} held back", _WANTED,
                 float(good.sum()), _GSOD),
        at_least("  on so many continents", 6.0, float(len(continents)), _GSOD),
        note("  beyond it (year and worst month, K)", missed, _GSOD),
        at_most("  root mean square error of their months", 1.5,
                float(np.sqrt((error**2).mean())), _GSOD, unit="K"),
        *_places(),
        *_weather(),
    ]  # fmt: skip
    _plot(plots, cities, found, wanted)
    caption = (
        "Left: the months of the cities held back, each against its measured mean. Right: a year "
        "of Amsterdam's daily means in the weather `synthetic`, with the usual course and twice "
        "the usual standard deviation."
    )
    return Group("Climate", about, checks, [Figure("climate.png", caption)])


def _read(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open() as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


def _table(rows: list[dict[str, str]], columns: list[str]) -> Floats:
    return np.array([[float(row[column]) for row in rows] for column in columns])


def _months(rows: list[dict[str, str]]) -> Floats:
    """Return the normals of the months, degrees Celsius, [12, city]."""
    normals = climate.normals(*_table(rows, ["latitude", "longitude", "altitude"]))
    days = np.array(
        [normals.day_mean_c(utc_ms("2023-01-01") + day * _DAY_MS) for day in range(365)]
    )
    return np.array([part.mean(axis=0) for part in np.array_split(days, 12)])


def _places() -> list[Check]:
    amsterdam, po = (
        _months([{"latitude": la, "longitude": lo, "altitude": al}])[:, 0]
        for la, lo, al in (("52.37", "4.9", "0"), ("45", "8", "20"))
    )
    knmi, pvgis = "KNMI, normals 1991 to 2020", "PVGIS, typical year 2005 to 2023"
    return [
        near("Amsterdam, year", 10.0, float(amsterdam.mean()), knmi, by=_ANNUAL_K, unit="C"),
        near("Amsterdam, January", 4.2, float(amsterdam[0]), knmi, by=_MONTHLY_K, unit="C"),
        near("45 N 8 E, January", 5.2, float(po[0]), pvgis, by=_MONTHLY_K, unit="C"),
    ]


def _weather() -> list[Check]:
    cities = list(_read("degree-days.csv"))
    days, ranges, months, usual = _days(cities)
    heating = np.maximum(_BASE_C - days, 0.0).sum(axis=0) / _YEARS
    cooling = np.maximum(days - _BASE_C, 0.0).sum(axis=0) / _YEARS
    checks = []
    for i, city in enumerate(cities):
        checks.append(near(f"{city['city']}, heating degree-days", float(city["heating"]),
                           float(heating[i]), _GSOD, rel=0.1))  # fmt: skip
        checks.append(
            note(f"{city['city']}, cooling degree-days", f"{cooling[i]:.0f}", _GSOD,
                 city["cooling"])
        )  # fmt: skip
    away = days - usual
    north = np.isin(months, (12, 1, 2)), np.isin(months, (6, 7, 8))
    for name, rows in zip(("winter", "summer"), north, strict=True):
        found = float(away[rows].std(axis=0).mean())
        wanted = float(_table(cities, [f"{name}_k"]).mean())
        checks.append(near(f"standard deviation of a day's mean in {name}, mean of the ten", wanted,
                           found, _GSOD, rel=0.15, unit="K"))  # fmt: skip
    for lag in (1, 2, 3, 5):
        found = float((away[:-lag] * away[lag:]).mean() / (away * away).mean())
        wanted = float(_table(cities, [f"lag_{lag}"]).mean())
        name = f"correlation of a day's mean with that {lag} days later, mean of the ten"
        checks.append(near(name, wanted, found, _GSOD, by=0.1))
    wanted_k = climate.normals(*_table(cities, ["latitude", "longitude", "altitude"])).range[0]
    checks.append(near("daily range, mean of the ten", float(wanted_k.mean()),
                       float(ranges.mean()), "the regression that the table has", rel=0.1,
                       unit="K"))  # fmt: skip
    return checks


def _days(cities: list[dict[str, str]]) -> tuple[Floats, Floats, Floats, Floats]:
    """Return daily means, daily ranges, months and usual means, the arrays [day, city]."""
    ids = [city["city"] for city in cities]
    latitude, longitude, altitude = _table(cities, ["latitude", "longitude", "altitude"])
    sites = Sites(ids, identities(ids), latitude, longitude, altitude, ["UTC"] * len(ids))
    weather = Synthetic(SyntheticSettings(), sites, Draws(11))
    normals = climate.normals(latitude, longitude, altitude)
    start, count = utc_ms("2015-01-01"), _YEARS * 365
    steps = start + np.arange(12 * count) * 2 * _HOUR_MS
    rows = np.tile(np.arange(len(ids)), len(steps))
    # All steps at once, without the sun: the temperature is the first of the slow quantities.
    slow = weather._slowly(rows, np.repeat(steps, len(ids)))
    hours = slow[0].reshape(count, 12, -1)
    times = start + np.arange(count) * _DAY_MS
    usual = np.array([normals.day_mean_c(int(at) + _DAY_MS // 2) for at in times])
    months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(int) % 12 + 1
    return hours.mean(axis=1), np.ptp(hours, axis=1), months, usual


def _plot(plots: Path, cities: list[dict[str, str]], found: Floats, wanted: Floats) -> None:
    figure, axes = canvas(1, 2, size=(12, 5))
    for continent in sorted({city["continent"] for city in cities}):
        own = [i for i, city in enumerate(cities) if city["continent"] == continent]
        axes[0].plot(wanted[:, own].ravel(), found[:, own].ravel(), ".", label=continent)
    ends = np.array([-20.0, 36.0])
    for shift in (-_MONTHLY_K, 0.0, _MONTHLY_K):
        axes[0].plot(ends, ends + shift, color="grey", linewidth=0.6)
    axes[0].set(xlabel="measured mean of the month, C", ylabel="gridsim, C")
    axes[0].legend()
    amsterdam = [city for city in _read("degree-days.csv") if city["city"] == "Amsterdam"]
    days, _, _, usual = _days(amsterdam)
    place = climate.normals(*_table(amsterdam, ["latitude", "longitude", "altitude"]))
    spread = np.array(
        [place.spread_k(utc_ms("2015-01-01") + day * _DAY_MS)[0] for day in range(365)]
    )
    day = np.arange(365)
    low, high = usual[:365, 0] - 2.0 * spread, usual[:365, 0] + 2.0 * spread
    axes[1].fill_between(day, low, high, alpha=0.2)
    axes[1].plot(day, usual[:365, 0], color="grey")
    axes[1].plot(day, days[:365, 0], linewidth=0.8, color="black")
    axes[1].set(xlabel="day of the year", ylabel="Amsterdam, mean of the day, C")
    save(figure, plots, "climate.png")
