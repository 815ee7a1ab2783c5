"""The measured days that are in the repository, for the eye."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

from gridsim.api import Floats

_FILE = Path(__file__).parent / "data" / "house-near-paris.csv.gz"
SOURCE = "one house near Paris with electric water heating, one-minute means (UCI, CC BY 4.0)"
"""Hebrail, Berard: Individual Household Electric Power Consumption, UCI Machine Learning
Repository, 2012."""


def house_near_paris() -> Floats:
    """Return the power of Monday 18 to Friday 22 December 2006, local time, float64[5, 1440], kW.

    Two minutes that were not recorded are those before them.
    """
    with gzip.open(_FILE, "rt") as stream:
        power = [row["active_kw"] for row in csv.DictReader(stream)]
    for minute, text in enumerate(power):
        power[minute] = text or power[minute - 1]
    return np.array(power, np.float64).reshape(5, 1440)
