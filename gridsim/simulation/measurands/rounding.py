"""The rounding of measurands, once, before the columns of sites are repeated for their devices,
and the mode of that.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridsim.api import Floats
from gridsim.contracts.measurands import FREQUENCY, MEASURANDS

_NEVER_NEGATIVE: Final = ("voltage", "current", FREQUENCY)
VALID: Final = "clip"
"""The mode in which NumPy takes values by indices that are valid: twice as fast as with a check."""


def round_measurand(name: str, values: Floats) -> Floats:
    """Round values to the decimals of a measurand, in place, with 0.0 for -0.0; return them."""
    np.round(values, MEASURANDS[name].decimals, out=values)
    if name not in _NEVER_NEGATIVE:
        values += 0.0
    return values
