"""Reduction of the normals of CRU CL 2.0 at weather stations to `data/wind-and-rain.csv.gz`.

    pip install rdata
    git clone https://github.com/adamhsparks/GSODRdata && git clone https://github.com/ropensci/GSODR
    python -m benchmarks.realism.wind_stations GSODRdata/data/CRU_CL_2.rda \
      GSODR/inst/extdata/isd_history.rda OUT.csv.gz

`CRU_CL_2.rda` (GSODRdata 0.2.15, MIT licence) has the normals of each month at the stations of the
Global Surface Summary of the Day: the values of the grid of ten minutes of an arc in which they
stand. `isd_history.rda` (GSODR, MIT licence) has the places of the stations.

The file in the repository was reduced by an earlier script from the same tables: the squares, their
order and the draw of those held back are the same, and of 73,206 values nine in ten are equal and
all but 13 within one in the last digit. It stays as it is, so that no weather changes.

The licence of CRU CL 2.0 itself was looked for and not found: neither its readme nor the pages of
the Climatic Research Unit that could be read name one, and what they say of later data (CRU TS) is
not said of it. What `gridsim` ships is a map of 181 x 288 points that is made from a reduction to
three numbers by square and kind. To use another source, replace the file with
the daily wind and rain of the same stations in the Global Surface Summary of the Day (NOAA, in the
public domain), or with those of MERRA-2 (NASA, free of restrictions); `wind_table.py` reads no more
than its columns.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats

_DAYS: Floats = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_KINDS = {"wind": ("wnd", 2), "wet": ("rd0", 1), "mm": ("pre", 0)}
"""The variable of CRU CL 2.0, and the digits that are kept, by column of the file."""
_HELD_BACK, _SEED = 0.1, 1
_HEAD = """\
# Means of each month of CRU CL 2.0, 1961 to 1990 (New, Lister, Hulme, Makin, Climate Research 21 \
(2002)),
# at the weather stations of each square of one degree, as the R package GSODRdata (MIT licence) \
has them,
# as mean, cosine and sine of the year: wind at 10 m in m/s, days with rain or snow and mm of it a \
month.
# One in ten squares, drawn at random, is held back. CRU CL 2.0 itself names no licence; see
# benchmarks/realism/wind_stations.py, which reduces it to this.
"""


def reduce(stations: Any, places: Any) -> str:
    """Return the text of the file; both arguments are pandas tables."""
    columns = {name: [f"CRU_CL_2_0_{kind}_{month:02}" for month in range(1, 13)]
               for name, (kind, _) in _KINDS.items()}  # fmt: skip
    every = [column for names in columns.values() for column in names]
    table = stations.merge(places[["STNID", "LAT", "LON"]], on="STNID").dropna(
        subset=["LAT", "LON", *every]
    )
    square = [np.floor(table["LAT"]), np.floor(table["LON"])]
    means = table[["LAT", "LON", *every]].groupby(square).mean()
    held: NDArray[np.bool_] = np.random.default_rng(_SEED).random(len(means)) < _HELD_BACK
    parts = [[f"{value:.2f}" for value in means[name]] for name in ("LAT", "LON")]
    parts.append([f"{one:d}" for one in held])
    head = "latitude,longitude,held_back"
    for name, (_, digits) in _KINDS.items():
        monthly = means[columns[name]].to_numpy(np.float64)
        if name != "wind":
            # Sums of a month, as those of months of equal length.
            monthly = monthly / _DAYS * (_DAYS.sum() / 12.0)
        # Without a minus sign before zero.
        waves = np.round(monthly @ _waves(), digits) + 0.0
        parts += [[f"{value:.{digits}f}" for value in values] for values in waves.T]
        head += f",{name},{name}_cos,{name}_sin"
    rows = "\n".join(",".join(row) for row in zip(*parts, strict=True))
    return f"{_HEAD}{head}\n{rows}\n"


def _waves() -> Floats:
    """Return the weights of the months in the mean, cosine and sine of a year, [12, 3]."""
    angle = 2.0 * np.pi * (np.cumsum(_DAYS) - _DAYS / 2.0) / _DAYS.sum()
    waves = np.stack([np.ones(12), 2.0 * np.cos(angle), 2.0 * np.sin(angle)], axis=1)
    weights: Floats = waves * (_DAYS / _DAYS.sum())[:, None]
    return weights


def _read(file: Path) -> Any:
    import rdata  # type: ignore[import-not-found]

    return next(iter(rdata.read_rda(file).values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("stations", "places", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    text = reduce(_read(given.stations), _read(given.places))
    given.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
