"""The builder of `gridsim/helpers/wind_and_rain.npz` from its sources.

    apt-get download ferret-datasets && dpkg -x ferret-datasets_*.deb /tmp/ferret
    python -m benchmarks.realism.wind_table --data /tmp/ferret/usr/share/ferret-vis/data

- `data/wind-and-rain.csv.gz`: the normals of CRU CL 2.0 at weather stations; see its head,
  and `wind_stations.py` how it was reduced, and what is known of its licence. One in ten squares is
  held back: `benchmarks/realism/wind.py` compares with them.
- COADS (`coads_climatology.cdf`, NOAA, in the public domain): the wind over the sea, brought from
  20 m, the usual height of anemometers of ships, to 10 m.

A point of the grid has the mean of the nearest places, weighted by distance.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path

import numpy as np
from scipy.io import netcdf_file
from scipy.spatial import cKDTree

from benchmarks.realism.climate_table import COLUMNS, FERRET, ROWS
from gridsim.helpers.randomness import Floats

_DATA = Path(__file__).parent / "data" / "wind-and-rain.csv.gz"
TABLE = Path(__file__).parents[2] / "gridsim" / "helpers" / "wind_and_rain.npz"
STEPS = {"wind": 0.1, "wet": 0.5, "mm": 4.0}
_NEAREST, _LENGTH_KM, _EARTH_KM = 8, 60.0, 6371.0
_SHIP_TO_10_M = 0.93
# Nearer to a station, the wind of the station counts.
_SEA_KM = 150.0


def squares() -> tuple[Floats, Floats, dict[str, Floats]]:
    """Return places [n, 2], where they are held back, and mean, cosine and sine of each map."""
    with gzip.open(_DATA, "rt") as stream:
        rows = list(csv.reader(line for line in stream if not line.startswith("#")))[1:]
    table = np.array(rows, float)
    columns = {name: table[:, 3 + 3 * i : 6 + 3 * i] for i, name in enumerate(STEPS)}
    return table[:, :2], table[:, 2] > 0.0, columns


def _sea(folder: Path) -> tuple[Floats, Floats]:
    """Return places of the sea and mean, cosine and sine of the wind there, m/s."""
    with netcdf_file(folder / "coads_climatology.cdf", mmap=False) as file:
        wind = file.variables["WSPD"][:].astype(float)
        x, y = (
            next(one[:] for name, one in file.variables.items() if name.startswith(start))
            for start in ("COADSX", "COADSY")
        )
    wind[np.abs(wind) > 100.0] = np.nan
    latitude, longitude = np.meshgrid(y.astype(float), x.astype(float), indexing="ij")
    use = ~np.isnan(wind).any(0)
    angle = 2.0 * np.pi * (np.arange(12) + 0.5) / 12.0
    waves = np.stack([np.ones(12), 2.0 * np.cos(angle), 2.0 * np.sin(angle)]) / 12.0
    places = np.stack((latitude[use], longitude[use]), 1)
    return places, _SHIP_TO_10_M * (waves @ wind[:, use]).T


def _unit(places: Floats) -> Floats:
    a, o = np.radians(places.T)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], 1)


def _at(places: Floats, values: Floats, wanted: Floats) -> Floats:
    """Return the weighted mean of the nearest places, [wanted, value]."""
    chord, nearest = cKDTree(_unit(places)).query(_unit(wanted), _NEAREST)
    # Relative to the nearest place: beyond the reach of the weights it counts alone.
    weight = np.exp(-(chord - chord[:, :1]) * _EARTH_KM / _LENGTH_KM)
    mean: Floats = (values[nearest] * weight[..., None]).sum(1) / weight.sum(1)[:, None]
    return mean


def build(folder: Path) -> dict[str, Floats]:
    """Return the maps in their steps, as differences along each row."""
    places, held, columns = squares()
    sea, sea_wind = _sea(folder)
    latitude = 90.0 - 180.0 * np.arange(ROWS) / (ROWS - 1)
    longitude = -180.0 + 360.0 * np.arange(COLUMNS) / COLUMNS
    grid = np.stack([one.ravel() for one in np.meshgrid(latitude, longitude, indexing="ij")], 1)
    maps = {}
    for name, step in STEPS.items():
        points, values = places[~held], columns[name][~held]
        if name == "wind":
            far = cKDTree(_unit(points)).query(_unit(sea))[0] * _EARTH_KM > _SEA_KM
            points = np.concatenate((points, sea[far]))
            values = np.concatenate((values, sea_wind[far]))
        whole = np.rint(_at(points, values, grid) / step).astype(np.int16)
        rows = whole.T.reshape(3, ROWS, COLUMNS)
        maps[name] = np.diff(rows, axis=-1, prepend=np.int16(0)).astype(np.int16)
    return maps


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=FERRET)
    np.savez_compressed(TABLE, **build(parser.parse_args().data))  # type: ignore[arg-type]
