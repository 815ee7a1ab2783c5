"""The cars that are present at a managed fleet of chargers, and what they are able to do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """The values that stay the same until a car comes or goes, [cars]."""

    car: NDArray[np.intp]
    """The devices with a car."""
    limit: Floats
    speed: Floats
    rate: Floats
    """The state of charge per hour at full power."""
    target: Floats
    free: NDArray[np.bool_] | None
    """True where the power fluctuates; None: everywhere."""
    smart: NDArray[np.intp]
    """The cars, of these, that charge by the smart strategy."""
    has_v2g: bool

    @classmethod
    def of(
        cls,
        soc: Floats,
        limit: Floats,
        speed: Floats,
        target: Floats,
        steady: NDArray[np.bool_],
        smart: NDArray[np.bool_],
        v2g: NDArray[np.bool_],
    ) -> Present:
        """Return the cars of n chargers; each argument is a column, [n].

        The state of charge, `soc`, is NaN without a car.
        """
        car = np.flatnonzero(~np.isnan(soc))
        fluctuates = ~steady[car]
        return cls(
            car,
            limit[car],
            speed[car],
            limit[car] * speed[car],
            target[car],
            None if fluctuates.all() else fluctuates,
            np.flatnonzero(smart[car]),
            bool(v2g[car].any()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Possible:
    """The possible charging and discharging of a managed fleet in a tick, float64[cars]."""

    tick: int
    present: Present
    soc: Floats
    """The state of charge before the tick."""
    full_power: Floats
    """The state of charge after the tick at full power."""
    charge_kw: Floats
    discharge_kw: Floats
    must: NDArray[np.bool_]
    """True where the car has to charge now to leave with its minimum state of charge."""
    preferred: Floats
    """The state of charge after the tick without a setpoint."""
