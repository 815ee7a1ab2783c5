"""The usual wind and rain of places, and those of the weather, against measured ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, near, note
from benchmarks.realism.wind_table import squares
from gridsim.api import Draws, Floats, Sites, identities
from gridsim.helpers import weibull
from gridsim.helpers.wind_and_rain import wind_and_rain
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings

_CRU = "CRU CL 2.0 (New et al. 2002), 1961 to 1990"
_BOCCARD = "Boccard, Energy Policy 37 (2009): fleets of 2003 to 2007"
_BRETT = "Brett, Tuller, J. Appl. Meteorol. 30 (1991)"
_HOUR_MS, _MONTH_DAYS, _YEARS, _PLACES = 3_600_000, 30.44, 4, 12
# Hub, exponent of height, and rated wind of a usual turbine of those years.
_HUB_M, _SHEAR, _CUT_IN, _RATED, _CUT_OUT = 65.0, 0.2, 3.0, 13.5, 25.0
# The capacity factor of a country, and places in its windy plains.
_COUNTRIES: dict[str, tuple[float, list[tuple[float, float]]]] = {
    "Netherlands": (0.215, [(52.8, 4.8), (53.3, 6.8), (52.6, 5.6), (51.7, 4.2), (51.5, 3.8),
                            (53.2, 5.6)]),
    "Belgium": (0.2, [(51.2, 3.2), (50.6, 4.7), (51.2, 4.4)]),
    "Germany": (0.183, [(54.4, 8.9), (53.6, 7.6), (53.9, 11.0), (52.3, 14.0), (52.5, 11.0),
                        (51.7, 8.7), (51.5, 12.0), (50.4, 7.3), (53.2, 9.2)]),
    "United Kingdom": (0.261, [(55.5, -4.5), (57.5, -3.5), (54.5, -3.3), (52.4, -3.6),
                               (52.7, 1.0), (54.6, -6.6), (55.8, -3.6)]),
    "Ireland": (0.29, [(54.0, -9.0), (52.0, -9.5), (53.0, -7.8), (54.9, -7.8)]),
    "Denmark": (0.228, [(56.5, 8.3), (55.3, 8.8), (57.0, 9.9), (55.8, 9.5), (55.4, 10.4)]),
    "Spain": (0.248, [(43.3, -8.0), (42.0, -1.2), (39.0, -2.0), (36.4, -6.0), (42.0, -3.5)]),
}  # fmt: skip
# By country: what its fleet has instead, as (a text, hub, rated wind, factor on the wind).
_OTHERWISE = {
    "Denmark": ("with a hub at 45 m, rated at 15 m/s", 45.0, 15.0, 1.0),
    "Spain": ("with 1.3 times the wind", _HUB_M, _RATED, 1.3),
}


def run(plots: Path) -> Group:
    about = f"""The wind at 10 m, the days with rain or snow and their amount, by place and season:
the map against squares of a degree that were held back when it was made, and {_YEARS} years of the
weather `synthetic`, each hour, at {_PLACES} of them. By default a place has its own wind, with
Weibull's distribution (k from the mean, Justus et al. 1978), and rain from its own clouds.

Capacity factors are those of turbines with a hub at {_HUB_M:g} m, an exponent of height of
{_SHEAR:g} and rated at {_RATED:g} m/s, at places in the windy plains of countries, beside the
fleets of 2003 to 2007. Two are outside and shown without being judged, since these turbines and
stations are not theirs: most of the Danish ones were of the nineties, with a hub near 45 m and
rated at about 15 m/s, with which the same wind gives what is shown below it; those of Spain stand
on ridges, where the wind is faster than at the stations in the valleys, by nearly a third to give
their yield. No ridge is in the map; `mean_wind` sets that of a site.

CRU CL 2.0 names no licence that could be found; `benchmarks/realism/wind_stations.py` lists what is
known, how the file was made of it, and what could take its place."""
    checks = [*_map(), *_weather(plots), *_capacity()]
    caption = (
        "Left: mean wind of squares held back, measured and by the map. Right: distribution of the "
        "wind in the weather, at the windiest and the calmest of the places."
    )
    return Group("Wind and rain by place", about, checks, [Figure("wind-and-rain.png", caption)])


def _map() -> list[Check]:
    places, held, columns = squares()
    usual = wind_and_rain(*places[held].T)
    found = (usual.wind[0], usual.wet[0], usual.rain[0])
    wanted = [columns[name][held][:, 0] for name in ("wind", "wet", "mm")]
    wind, wet, rain = (one - other for one, other in zip(found, wanted, strict=True))
    return [
        note("squares held back", f"{held.sum():,}", _CRU),
        at_most("mean wind, root mean square error", 0.5, _rms(wind), _CRU, unit="m/s"),
        at_least("  squares within 25 %", 90.0,
                 100.0 * float((np.abs(wind) < 0.25 * wanted[0]).mean()), _CRU, unit="%"),
        at_most("days with rain in a month, root mean square error", 1.5, _rms(wet), _CRU),
        at_most("rain in a month, root mean square error", 20.0, _rms(rain), _CRU, unit="mm"),
    ]  # fmt: skip


def _rms(error: Floats) -> float:
    return float(np.sqrt((error**2).mean()))


def _hours(places: Floats, years: int) -> tuple[Floats, Floats]:
    """Return the wind at 10 m and the rate of rain of each hour, [hour, place]."""
    ids = [f"PLACE_{i}" for i in range(len(places))]
    sites = Sites(ids, identities(ids), *places.T, np.zeros(len(ids)), ["UTC"] * len(ids))
    weather = Synthetic(SyntheticSettings(field_points=256), sites, Draws(11))
    steps = utc_ms("2015-01-01") + np.arange(8766 * years) * _HOUR_MS
    rows = np.tile(np.arange(len(ids)), len(steps))
    slow = weather._slowly(rows, np.repeat(steps, len(ids)))
    return slow[1].reshape(len(steps), -1), slow[2].reshape(len(steps), -1)


def _weather(plots: Path) -> list[Check]:
    places, held, columns = squares()
    rows = np.flatnonzero(held)[:: max(int(held.sum()) // _PLACES, 1)][:_PLACES]
    wind, rain = _hours(places[rows], _YEARS)
    days = rain[: len(rain) // 24 * 24].reshape(-1, 24, len(rows)).sum(axis=1)
    wet = (days > 0.1).mean(axis=0) * _MONTH_DAYS
    amount = days.mean(axis=0) * _MONTH_DAYS
    wanted = [columns[name][rows][:, 0] for name in ("wind", "wet", "mm")]
    off = wind - wind.mean(axis=0)
    checks = [
        at_least(f"weather, places of {len(rows)} with a mean wind within 25 %", 10.0,
                 float((np.abs(wind.mean(axis=0) / wanted[0] - 1.0) < 0.25).sum()), _CRU),
        near("weather, mean wind of the places", float(wanted[0].mean()), float(wind.mean()), _CRU,
             rel=0.1, unit="m/s"),
        near("weather, days with more than 0.1 mm in a month", float(wanted[1].mean()),
             float(wet.mean()), _CRU, rel=0.15),
        near("weather, rain in a month", float(wanted[2].mean()), float(amount.mean()), _CRU,
             rel=0.15, unit="mm"),
        near("wind, correlation after an hour", 0.9,
             float((off[1:] * off[:-1]).mean() / (off * off).mean()), _BRETT, by=0.08),
    ]  # fmt: skip
    mean = wind.mean(axis=0)
    usual = wind_and_rain(*places[rows].T).wind[0]
    shape = weibull.shape_of(usual)
    for q in (0.1, 0.5, 0.9, 0.99):
        expected = weibull.scale_of(usual, shape) * (-np.log(1.0 - q)) ** (1.0 / shape)
        checks.append(near(f"wind, quantile {100 * q:g} %, mean of the places",
                           float(expected.mean()), float(np.quantile(wind, q, axis=0).mean()),
                           "Weibull, Justus et al. (1978)", rel=0.12, unit="m/s"))  # fmt: skip
    figure, axes = canvas(1, 2, size=(11, 4.2))
    every = wind_and_rain(*places[held].T).wind[0]
    axes[0].plot(columns["wind"][held][:, 0], every, ".", ms=3, alpha=0.4, label="held-back places")
    axes[0].plot(wanted[0], mean, "kx", label="weather, four years")
    axes[0].plot([0, 8], [0, 8], color="grey", lw=0.6)
    axes[0].set(xlabel="measured mean wind, m/s", ylabel="gridsim, m/s", xlim=(0, 8), ylim=(0, 8))
    axes[0].legend()
    windy, calm = int(np.argmax(mean)), int(np.argmin(mean))
    for i in (windy, calm):
        latitude, longitude = places[rows[i]]
        label = f"{abs(latitude):.0f} {'N' if latitude >= 0 else 'S'} "
        label += f"{abs(longitude):.0f} {'E' if longitude >= 0 else 'W'}"
        axes[1].hist(wind[:, i], np.arange(0.0, 20.0, 0.5), density=True, alpha=0.6, label=label)
    axes[1].set(xlabel="wind at 10 m, m/s", ylabel="density, s/m", xlim=(0, 20))
    axes[1].legend()
    save(figure, plots, "wind-and-rain.png")
    return checks


def _capacity() -> list[Check]:
    checks = []
    for country, (published, places) in _COUNTRIES.items():
        wind, _ = _hours(np.array(places), 1)
        found = _capacity_factor(wind, _HUB_M, _RATED)
        name = f"{country}, capacity factor"
        if country in _OTHERWISE:
            text, hub_m, rated, faster = _OTHERWISE[country]
            other = _capacity_factor(faster * wind, hub_m, rated)
            checks += [note(name, f"{found:.3f}", _BOCCARD, f"{published:g}"),
                       note(f"  {text}", f"{other:.3f}", _BOCCARD, f"{published:g}")]  # fmt: skip
        else:
            checks.append(near(name, published, found, _BOCCARD, rel=0.25))
    return checks


def _capacity_factor(wind: Floats, hub_m: float, rated: float) -> float:
    """Return the mean power over the nameplate in a wind at 10 m, m/s, by a cubic curve."""
    hub = wind * (hub_m / 10.0) ** _SHEAR
    power = np.clip((hub**3 - _CUT_IN**3) / (rated**3 - _CUT_IN**3), 0.0, 1.0)
    return float((power * (hub < _CUT_OUT)).mean())
