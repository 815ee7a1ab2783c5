"""The physics of one thermal mass: a building, a mixed tank.

C dT/dt = Q + G - UA (T - To): the mass gains a controlled heat Q and other heat G, and loses heat
to its surroundings at To. The solution is exact if everything except T is constant over a step.
Powers in kW, UA in kW/K, C in kWh/K, temperatures in degrees Celsius; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.helpers.randomness import Floats


def stiffness(ua: Floats, capacity: Floats, hours: float) -> Floats:
    """Return the constant heat over a step that changes its final temperature by 1 K, kW per K."""
    per_k: Floats = ua / -np.expm1(-ua * hours / capacity)
    return per_k


def holding_heat(now: Floats, around: Floats, ua: Floats, gains_kw: Floats) -> Floats:
    """Return the heat that holds the temperature, kW; negative where heat must be removed."""
    heat: Floats = ua * (now - around) - gains_kw
    return heat


def temperature_after(now: Floats, heat: Floats, holding: Floats, per_k: Floats) -> Floats:
    """Return the temperature after a step with constant `heat`; `per_k` is the step's stiffness."""
    after: Floats = now + (heat - holding) / per_k
    return after


def heat_to_reach(now: Floats, target: Floats, holding: Floats, per_k: Floats) -> Floats:
    """Return the constant heat that ends the step at `target`, kW."""
    heat: Floats = holding + (target - now) * per_k
    return heat
