"""The rounding of measurands, once, before the columns of sites are repeated for their devices."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.measurands import MEASURANDS


def round_measurand(name: str, values: Floats) -> Floats:
    """Round values to the decimals of a measurand, in place, with 0.0 for -0.0; return them."""
    np.round(values, MEASURANDS[name].decimals, out=values)
    values += 0.0
    return values
