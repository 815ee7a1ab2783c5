"""The behaviour of a battery without a setpoint: its strategy, in local time of the site."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers import windows

BALANCE, REST, CHARGE, COVER, STORE = range(5)
"""The modes: bring the net load of the site to zero; rest; charge at full power; cover the load
of the site only; store the surplus of the site only."""

MINUTES_PER_DAY = windows.MINUTES_PER_DAY


def day_plan(
    strategy: str, charge: tuple[str, ...], discharge: tuple[str, ...]
) -> NDArray[np.int8]:
    """Return the mode of each minute of the day, int8[1440]."""
    if strategy == "idle":
        return np.full(MINUTES_PER_DAY, REST, np.int8)
    if strategy == "self_consumption":
        return np.full(MINUTES_PER_DAY, BALANCE, np.int8)
    plan = np.full(MINUTES_PER_DAY, STORE, np.int8)
    plan[windows.in_windows(charge)] = CHARGE
    plan[windows.in_windows(discharge)] = COVER
    return plan
