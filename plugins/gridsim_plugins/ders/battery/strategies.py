"""What a battery does when nobody tells it: its strategy, by the site's clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import windows

BALANCE, REST, CHARGE, COVER, STORE = range(5)
"""Bring the site to zero; do nothing; charge at full power; only cover what the site draws;
only store what the site has to spare."""

MINUTES_PER_DAY = windows.MINUTES_PER_DAY


def day_plan(
    strategy: str, charge: tuple[str, ...], discharge: tuple[str, ...]
) -> NDArray[np.int8]:
    """int8[1440]: what to do in each minute of the day."""
    if strategy == "idle":
        return np.full(MINUTES_PER_DAY, REST, np.int8)
    if strategy == "self_consumption":
        return np.full(MINUTES_PER_DAY, BALANCE, np.int8)
    plan = np.full(MINUTES_PER_DAY, STORE, np.int8)
    plan[windows.in_windows(charge)] = CHARGE
    plan[windows.in_windows(discharge)] = COVER
    return plan
