"""A day's telemetry of a mixed fleet, for the checks of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """The readings of a day, as emitted, [tick, device], and the unrounded values."""

    scenario: Scenario
    output: NDArray[np.float32]
    soc: NDArray[np.float32]
    meter: NDArray[np.float32]
    load: Floats
    """Unrounded, [tick, site]."""
    ghi: Floats
    """[tick, site]"""
    temperature_c: Floats
    telemetry: dict[str, Any]
    """A dictionary of columns, [tick, member], by `type/stage`."""
    members: dict[str, Any]
