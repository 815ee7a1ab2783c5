"""The builder of `gridsim/helpers/climate.npz` from its sources.

    apt-get download ferret-datasets && dpkg -x ferret-datasets_*.deb /tmp/ferret
    python -m benchmarks.realism.climate_table --data /tmp/ferret/usr/share/ferret-vis/data

- ETOPO5 (`etopo5.cdf`, NOAA, in the public domain): heights, and the shares of land.
- COADS (`coads_climatology.cdf`, NOAA, in the public domain): the air temperature over the sea.
- `data/fitted-cities.csv`: the mean of each month, 1995 to 2014, of 271 cities: means of the daily
  means of the Global Surface Summary of the Day (NOAA, in the public domain), from the Average
  Daily Temperature Archive of the University of Dayton, for the cities with eight years of each
  month. `data/held-back-cities.csv` has 46 more, drawn by continent, which this script does not
  read.
- `data/daily-range.csv`: the coefficients of a regression of the daily range, fitted to the monthly
  normals 1991 to 2020 of MERRA-2 (NASA, doi:10.5067/KVIMOMCUO83U).

The Debian package `ferret-datasets` has both grids. Leaving out one city at a time, the months miss
by 1.51 K (root mean square). Other length scales, variances and lapse rates, and a covariance that
falls with the difference in height, gave 1.50 to 1.60 K, so none of them is used.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file
from scipy.ndimage import gaussian_filter1d

from gridsim.helpers.randomness import Floats

_HERE = Path(__file__).parent
TABLE = _HERE.parents[1] / "gridsim" / "helpers" / "climate.npz"
FERRET = Path("/usr/share/ferret-vis/data")
"""The folder of the Debian package once it is installed."""
ROWS, COLUMNS = 181, 288
# The temperature of the towns of a plain falls less with its height than that of hills above it.
_LAPSE_K_PER_M, _LAPSE_OF_PLAINS = 0.0065, 0.005
# The covariance, K2 and km: near and middle scales fall with the difference in the share of land.
_NEAR, _FAR, _MIDDLE, _SHARE = (2.0, 250.0), (6.0, 1500.0), (4.0, 1000.0), 0.35
_NOISE_OF_CITY, _NOISE_OF_SEA, _WEIGHT_OF_SEA = 0.4, 0.5, 0.3
# A city has at least this share of land, because it measures the land even at a coast.
_LAND_OF_CITY = 0.75
_STEPS = {"temperature": 0.25, "range": 0.5, "height": 20.0}
_EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Points:
    """Places with the mean of each month at sea level, degrees Celsius, [place, 12]."""

    latitude: Floats
    longitude: Floats
    land: Floats
    """The share of land, 0 at sea."""
    months: Floats
    noise: Floats
    """The variance of the means, K2."""


class Relief:
    """The heights of ETOPO5 and the shares of land in the surroundings of places."""

    def __init__(self, folder: Path) -> None:
        with netcdf_file(folder / "etopo5.cdf", mmap=False) as file:
            # From the south and from 0 degrees, every five minutes.
            self.heights: Floats = file.variables["ROSE"][:].astype(float)
        self._land = self._halves((self.heights > 0).astype(float))

    @cached_property
    def land_60(self) -> Floats:
        return _smooth(self._land, 60.0)

    @cached_property
    def land_400(self) -> Floats:
        return _smooth(self._land, 400.0)

    @cached_property
    def land_1200(self) -> Floats:
        return _smooth(self._land, 1200.0)

    def height_km(self, radius_km: float) -> Floats:
        """Return the mean height, with the sea at 0, in the surroundings."""
        return _smooth(self._halves(np.maximum(self.heights, 0.0)) / 1000.0, radius_km)

    def _halves(self, values: Floats) -> Floats:
        """Return the means of half degrees, [360, 720]."""
        means: Floats = values[:2160, :4320].reshape(360, 6, 720, 6).mean((1, 3))
        return means

    def trend(self, latitude: Floats, longitude: Floats) -> Floats:
        """Return the regressors of the temperature at sea level, [place, 12]."""
        s = np.sin(np.radians(latitude))
        near, wide = (_at(one, latitude, longitude) for one in (self.land_400, self.land_1200))
        columns = [np.ones_like(s), s, s**2, s**3, s**4, near, wide]
        columns += [wide * s, wide * s**2, wide * s**3, near * s, near * s**2]
        return np.stack(columns, 1)


def _smooth(values: Floats, radius_km: float) -> Floats:
    """Return half degrees smoothed by a normal distribution."""
    along = gaussian_filter1d(values, radius_km / 55.6, axis=0, mode="nearest")
    smooth = np.empty_like(values)
    for row, line in enumerate(along):
        scale = max(float(np.cos(np.radians(-90.0 + 0.25 + 0.5 * row))), 0.08)
        smooth[row] = gaussian_filter1d(line, min(radius_km / 55.6 / scale, 250.0), mode="wrap")
    return smooth


def _at(values: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """Return half degrees interpolated at places."""
    y, x = (latitude + 90.0) / 0.5 - 0.5, longitude % 360.0 / 0.5 - 0.5
    i, j = np.clip(np.floor(y).astype(int), 0, 358), np.floor(x).astype(int)
    up, right = y - i, x - j
    west, east = j % 720, (j + 1) % 720
    low = (1.0 - right) * values[i, west] + right * values[i, east]
    high = (1.0 - right) * values[i + 1, west] + right * values[i + 1, east]
    found: Floats = (1.0 - up) * low + up * high
    return found


def cities(relief: Relief) -> Points:
    with (_HERE / "data" / "fitted-cities.csv").open() as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))[1:]
    values = np.array([row[2:] for row in rows], float)
    latitude, longitude, altitude = values[:, :3].T
    land = np.maximum(_at(relief.land_60, latitude, longitude), _LAND_OF_CITY)
    months = values[:, 3:] + _LAPSE_OF_PLAINS * altitude[:, None]
    return Points(latitude, longitude, land, months, np.full(len(rows), _NOISE_OF_CITY))


def sea(folder: Path, relief: Relief) -> Points:
    """Return a selection of the points of COADS, denser near land."""
    with netcdf_file(folder / "coads_climatology.cdf", mmap=False) as file:
        air = file.variables["AIRT"][:].astype(float)
        x, y = (
            next(one[:] for name, one in file.variables.items() if name.startswith(start))
            for start in ("COADSX", "COADSY")
        )
    air[np.abs(air) > 100.0] = np.nan
    latitude, longitude = np.meshgrid(y.astype(float), x.astype(float), indexing="ij")
    near = _at(relief.land_400, latitude, longitude) > 0.15
    generator = np.random.default_rng(0)
    drawn = near & (generator.random(near.shape) < 0.35)
    drawn |= generator.random(near.shape) < 0.06
    use = ~np.isnan(air).any(0) & drawn
    count = int(use.sum())
    return Points(
        latitude[use], longitude[use], np.zeros(count), air[:, use].T,
        np.full(count, _NOISE_OF_SEA),
    )  # fmt: skip


def _unit(latitude: Floats, longitude: Floats) -> Floats:
    a, o = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)])


def _covariance(one: Floats, land: Floats, other: Floats, other_land: Floats) -> Floats:
    km = _EARTH_KM * np.arccos(np.clip(one.T @ other, -1.0, 1.0))
    alike = np.exp(-np.abs(land[:, None] - other_land[None, :]) / _SHARE)
    near, middle = (
        variance * np.exp(-km / length) * alike for variance, length in (_NEAR, _MIDDLE)
    )
    return near + _FAR[0] * np.exp(-km / _FAR[1]) + middle


def at_sea_level(
    points: Points, relief: Relief, latitude: Floats, longitude: Floats, land: Floats
) -> Floats:
    """Return the months at places by Gaussian process regression, [place, 12].

    The mean is that of the towns of a plain: see `_LAPSE_OF_PLAINS`.
    """
    trend = relief.trend(points.latitude, points.longitude)
    weight = np.where(points.land > 0.0, 1.0, _WEIGHT_OF_SEA)[:, None]
    line = np.linalg.lstsq(trend * weight, points.months * weight, rcond=None)[0]
    own = _unit(points.latitude, points.longitude)
    covariance = _covariance(own, points.land, own, points.land) + np.diag(points.noise)
    gain = np.linalg.solve(covariance, points.months - trend @ line)
    height = relief.height_km(60.0)
    found = np.empty((len(latitude), 12))
    for start in range(0, len(latitude), 4000):
        rows = slice(start, start + 4000)
        where = latitude[rows], longitude[rows]
        plain = (_LAPSE_K_PER_M - _LAPSE_OF_PLAINS) * 1000.0 * _at(height, *where)
        near = _covariance(_unit(*where), land[rows], own, points.land)
        found[rows] = plain[:, None] + relief.trend(*where) @ line + near @ gain
    return found


def harmonics(orders: int) -> Floats:
    """Return the means over each month of the harmonics of a year, [12, 2 * orders + 1]."""
    middle, columns = (np.arange(12) + 0.5) / 12.0, [np.ones(12)]
    for order in range(1, orders + 1):
        angle, fade = 2.0 * np.pi * order * middle, np.sinc(order / 12.0)
        columns += [fade * np.cos(angle), fade * np.sin(angle)]
    return np.array(columns).T


def daily_range(temperature: Floats, relief: Relief, latitude: Floats, longitude: Floats) -> Floats:
    """Return the harmonics of the daily range over land, [3, place]."""
    s, hemisphere = np.sin(np.radians(latitude)), np.tanh(latitude / 8.0)
    mean, amplitude = temperature[0], np.hypot(temperature[1], temperature[2])
    maps = (relief.land_60, relief.land_400, relief.land_1200)
    shares = [_at(one, latitude, longitude) for one in maps]
    heights = [_at(relief.height_km(km), latitude, longitude) for km in (60.0, 300.0)]
    columns = [np.ones_like(s), np.abs(s), s**2, *shares, amplitude, amplitude**2, *heights]
    half = np.stack([*columns, mean, mean**2, mean * amplitude, s], 1)
    with (_HERE / "data" / "daily-range.csv").open() as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))[1:]
    coefficients = np.array([row[1:] for row in rows], float)
    swing = (np.concatenate([half, half * hemisphere[:, None]], 1) @ coefficients).T
    swing[0] = np.clip(swing[0], 3.0, 16.0)
    most = 0.5 * (swing[0] - 1.5)
    swing[1:] = np.clip(swing[1:], -most, most)
    return swing


def land_heights(relief: Relief) -> Floats:
    """Return the lower quartile of the land within half a degree, from the north, [361, 720]."""
    heights = np.zeros((361, 720))
    for row in range(361):
        north = 90.0 - 0.5 * row
        south = max(int((north - 0.25 + 90.0) * 12), 0)
        band = relief.heights[south : min(int((north + 0.25 + 90.0) * 12) + 1, 2161)]
        for column in range(720):
            east = -180.0 + 0.5 * column
            ends = round((east - 0.25) * 12), round((east + 0.25) * 12) + 1
            here = band[:, np.arange(*ends) % 4320]
            land = here[here > 0]
            heights[row, column] = np.quantile(land, 0.25) if land.size else 0.0
    return heights


def build(folder: Path) -> dict[str, NDArray[np.int16]]:
    """Return the maps in their steps, int16[values, rows, columns]."""
    relief = Relief(folder)
    lat = 90.0 - np.arange(ROWS) * 180.0 / (ROWS - 1)
    lon = -180.0 + np.arange(COLUMNS) * 360.0 / COLUMNS
    latitude, longitude = (one.ravel() for one in np.meshgrid(lat, lon, indexing="ij"))
    share = _at(relief.land_60, latitude, longitude)
    land = np.where(share > 0.01, np.maximum(share, _LAND_OF_CITY), 0.0)
    towns, water = cities(relief), sea(folder, relief)
    joined = [
        np.concatenate([getattr(towns, name), getattr(water, name)])
        for name in ("latitude", "longitude", "land", "months", "noise")
    ]
    months = at_sea_level(Points(*joined), relief, latitude, longitude, land)
    temperature = np.linalg.lstsq(harmonics(3), months.T, rcond=None)[0]
    swing = daily_range(temperature, relief, latitude, longitude)
    swing[:, land == 0.0] = np.array([3.0, 0.0, 0.0])[:, None]
    maps = {
        "temperature": temperature.reshape(-1, ROWS, COLUMNS),
        "range": swing.reshape(-1, ROWS, COLUMNS),
        "height": land_heights(relief)[None],
    }
    return {name: np.round(one / _STEPS[name]).astype(np.int16) for name, one in maps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=FERRET, help="folder of etopo5.cdf")
    parser.add_argument("--out", type=Path, default=TABLE, help="the file to write")
    args = parser.parse_args()
    # The differences along each row take less room.
    maps = {name: np.diff(one, axis=-1, prepend=0) for name, one in build(args.data).items()}
    np.savez_compressed(args.out, **maps)


if __name__ == "__main__":
    main()
