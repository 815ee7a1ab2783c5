"""The maths of one thermal mass: a building, a mixed tank.

C dT/dt = Q + G - UA (T - To): the mass gains by a heat Q that is controlled and by others, G,
and loses to what is around it. With everything but T constant over a step the solution is
exact. Powers in kW, UA in kW/K, C in kWh/K, temperatures in degrees Celsius; scalars or
float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.helpers.randomness import Floats


def stiffness(ua: Floats, capacity: Floats, hours: float) -> Floats:
    """How much constant heat over a step moves the temperature at its end, kW per K."""
    per_k: Floats = ua / -np.expm1(-ua * hours / capacity)
    return per_k


def holding_heat(now: Floats, around: Floats, ua: Floats, gains_kw: Floats) -> Floats:
    """The heat that holds the temperature where it is, kW; negative: heat must go."""
    heat: Floats = ua * (now - around) - gains_kw
    return heat


def temperature_after(now: Floats, heat: Floats, holding: Floats, per_k: Floats) -> Floats:
    """The temperature after a step with constant `heat`; `per_k` is the step's stiffness."""
    after: Floats = now + (heat - holding) / per_k
    return after


def heat_to_reach(now: Floats, target: Floats, holding: Floats, per_k: Floats) -> Floats:
    """The inverse: the constant heat that ends the step at `target`, kW."""
    heat: Floats = holding + (target - now) * per_k
    return heat
