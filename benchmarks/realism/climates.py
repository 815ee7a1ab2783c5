"""A solar array month by month at six climates, against pvlib's ModelChain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib

from benchmarks.realism.drive import utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, at_most, note
from gridsim.api import Draws, Floats, Sites, Tick, identities
from gridsim.testing import make_members
from gridsim_plugins.ders.solar import Solar
from gridsim_plugins.weather.synthetic import Synthetic

_HOUR_MS = 3_600_000
_NAMEPLATE, _RATIO = 5.0, 1.2
# Every third day, for both models: a year in a third of the time.
_EVERY_DAYS = 3
_PVWATTS = "pvlib's ModelChain.with_pvwatts in the same run"
_MARION = "the same chain with pvlib's marion_diffuse"
_FULL = "pvlib's ModelChain in the same run: Perez, physical modifier, Faiman, PVWatts"


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    latitude: float
    longitude: float
    altitude: float
    tilt: float
    azimuth: float


_PLACES = (
    _Place("Amsterdam", 52.37, 4.90, 0.0, 30.0, 180.0),
    _Place("Miami", 25.79, -80.20, 2.0, 20.0, 180.0),
    _Place("Phoenix", 33.45, -112.0, 340.0, 30.0, 180.0),
    _Place("Anchorage", 61.20, -149.9, 40.0, 45.0, 180.0),
    _Place("Sydney", -33.87, 151.2, 20.0, 30.0, 0.0),
    _Place("Singapore", 1.35, 103.8, 15.0, 10.0, 180.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Year:
    times: pd.DatetimeIndex
    weather: Floats
    """ghi, dni, dhi, air temperature, wind: [time, quantity, place]."""
    power: Floats
    """kW, [time, place]"""

    def months(self, power: Floats) -> Floats:
        """Return the sums by month, [month]."""
        sums: Floats = pd.Series(power, self.times).groupby(self.times.month).sum().to_numpy()
        return sums


def checks() -> list[Check]:
    year, glazed, found = _year(), _year(diffuse=True), []
    for index, place in enumerate(_PLACES):
        own = year.months(year.power[:, index])
        theirs = year.months(_model_chain(index, "sapm"))
        worst = float(np.abs(own / theirs - 1.0).max()) * 100.0
        found.append(
            at_most(f"{place.name}: worst month against PVWatts", 3.0, worst, _PVWATTS, unit="%")
        )
        theirs = year.months(_model_chain(index, "faiman"))
        worst = float(np.abs(own / theirs - 1.0).max()) * 100.0
        found.append(
            at_most(f"{place.name}: worst month against the chain", 2.0, worst, _FULL, unit="%")
        )
        marion = glazed.months(glazed.power[:, index])
        worst = float(np.abs(marion / year.months(_marion(index)) - 1.0).max()) * 100.0
        found.append(
            at_most(f"{place.name}: worst month with diffuse_iam", 2.0, worst, _MARION, unit="%")
        )
        change = float(own.sum() / theirs.sum() - 1.0) * 100.0
        found.append(note(f"  {place.name}: year against the chain", f"{change:+.2f} %", _FULL))
        old = year.months(_model_chain(index, "faiman", sky="isotropic", glass="no_loss"))
        less = float(old.sum() / own.sum() - 1.0) * 100.0
        found.append(note(f"  {place.name}: year with an isotropic sky, without glass",
                          f"{less:+.2f} %", "pvlib in the same run"))  # fmt: skip
    return found


def plot(plots: Path) -> None:
    figure, axes = canvas(size=(9.0, 3.4))
    months = np.arange(1, 13)
    year = _year()
    for index, place in enumerate(_PLACES):
        own = year.months(year.power[:, index])
        theirs = year.months(_model_chain(index, "sapm"))
        axes.plot(months, (own / theirs - 1.0) * 100.0, marker=".", label=place.name)
    axes.axhspan(-3.0, 3.0, color="0.92")
    axes.set_xlabel("month")
    axes.set_ylabel("gridsim less PVWatts, %")
    axes.set_xticks(months)
    axes.set_ylim(-4.0, 4.0)
    axes.legend(ncols=6, fontsize=8, loc="lower left")
    save(figure, plots, "solar-climates.png")


@cache
def _year(diffuse: bool = False) -> _Year:
    """Return the output of one array at each place, in the middle of each hour."""
    names = [place.name for place in _PLACES]
    sites = Sites(
        ids=names,
        keys=identities(names),
        latitude=np.array([place.latitude for place in _PLACES]),
        longitude=np.array([place.longitude for place in _PLACES]),
        altitude=np.array([place.altitude for place in _PLACES]),
        timezone=["UTC"] * len(names),
    )
    weather = Synthetic(Synthetic.Settings(), sites, Draws(1))
    entries = [
        {
            "nameplate_capacity": _NAMEPLATE,
            "dc_ac_ratio": _RATIO,
            "system_losses": 14.08,
            "diffuse_iam": diffuse,
            "tilt": place.tilt,
            "azimuth": place.azimuth,
        }
        for place in _PLACES
    ]
    fleet = Solar(make_members(Solar.Settings, entries, sites=sites, site=range(len(names))))
    start = utc_ms("2026-01-01") + _HOUR_MS // 2
    stamps = [
        start + (24 * day + hour) * _HOUR_MS
        for day in range(0, 365, _EVERY_DAYS)
        for hour in range(24)
    ]
    skies, power = [], []
    for index, time_ms in enumerate(stamps):
        sky = weather.at(time_ms)
        skies.append((sky.ghi, sky.dni, sky.dhi, sky.temperature_c, sky.wind_m_s))
        power.append(fleet.available_power(Tick(index, time_ms, 3600.0, sky)))
    times = pd.to_datetime(stamps, unit="ms", utc=True)
    return _Year(times, np.array(skies, np.float64), np.array(power))


@cache
def _marion(index: int) -> Floats:
    """Return the AC power by pvlib, kW, if the glass also reflects diffuse light."""
    place = _PLACES[index]
    chain, weather = _chain(index, "faiman", "perez", "physical")
    chain.prepare_inputs(weather)
    results, tilt = chain.results, place.tilt
    solar = results.solar_position
    parts = pvlib.irradiance.perez(
        tilt, place.azimuth, weather.dhi, weather.dni,
        pvlib.irradiance.get_extra_radiation(weather.index), solar["apparent_zenith"],
        solar["azimuth"], results.airmass["airmass_relative"], return_components=True,
    ).fillna(0.0)  # fmt: skip
    part = pvlib.iam.marion_diffuse("physical", tilt)
    direct = results.total_irrad["poa_direct"] + parts["poa_circumsolar"]
    dome = parts["poa_isotropic"] + parts["poa_horizon"]
    ground = results.total_irrad["poa_ground_diffuse"]
    usable = direct * pvlib.iam.physical(results.aoi) + dome * part["sky"] + ground * part["ground"]
    whole = results.total_irrad["poa_global"]
    chain.run_model_from_effective_irradiance(
        weather[["temp_air", "wind_speed"]].assign(effective_irradiance=usable, poa_global=whole)
    )
    power: Floats = np.maximum(chain.results.ac.fillna(0.0).to_numpy(), 0.0)
    return power


@cache
def _model_chain(index: int, cells: str, sky: str = "perez", glass: str = "physical") -> Floats:
    """Return the Return the AC power by pvlib, kW, at each of the times."""
    chain, weather = _chain(index, cells, sky, glass)
    chain.run_model(weather)
    power: Floats = np.maximum(chain.results.ac.fillna(0.0).to_numpy(), 0.0)
    return power


def _chain(
    index: int, cells: str, sky: str, glass: str
) -> tuple[pvlib.modelchain.ModelChain, pd.DataFrame]:
    """Return a model chain of pvlib with the weather of a place."""
    year, place = _year(), _PLACES[index]
    names = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
    weather = pd.DataFrame(
        dict(zip(names, year.weather[:, :, index].T, strict=True)), index=year.times
    )
    models = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_polymer"]
    array = pvlib.pvsystem.Array(
        pvlib.pvsystem.FixedMount(place.tilt, place.azimuth),
        albedo=0.2,
        module_parameters={"pdc0": _NAMEPLATE * _RATIO, "gamma_pdc": -0.0037},
        temperature_model_parameters={"u0": 25.0, "u1": 6.84} if cells == "faiman" else models,
    )
    system = pvlib.pvsystem.PVSystem(
        [array], inverter_parameters={"pdc0": _NAMEPLATE / 0.96, "eta_inv_nom": 0.96}
    )
    location = pvlib.location.Location(place.latitude, place.longitude, "UTC", place.altitude)
    chain = pvlib.modelchain.ModelChain(
        system,
        location,
        dc_model="pvwatts",
        ac_model="pvwatts",
        losses_model="pvwatts",
        spectral_model="no_loss",
        transposition_model=sky,
        aoi_model=glass,
        temperature_model=cells,
    )
    return chain, weather
