"""How much heat an air-source heat pump moves per energy; temperatures in degrees Celsius."""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats

# The fit holds for a lift from 15 K; beyond 90 K the parabola would turn up again.
_LEAST_LIFT_K, _MOST_LIFT_K = 15.0, 90.0
_COLD_FLOW_C = 10.0

HEATING_CURVES = {"radiator": (40.0, -1.0), "floor": (30.0, -0.5)}
"""Flow temperature at 0 C outdoors, and its change per K (Ruhnau et al. 2019)."""


def _fit(lift: Floats) -> Floats:
    """COP by the lift in K. Ruhnau, Hirth, Praktiknjo: Time series of heat demand and heat
    pump efficiency for energy system modeling, Scientific Data 6 (2019), for air as source:
    a regression on manufacturers' data.
    """
    k = np.minimum(np.maximum(lift, _LEAST_LIFT_K), _MOST_LIFT_K)
    cop: Floats = 6.08 - 0.09 * k + 0.0005 * k * k
    return cop


def heating_cop(outdoor_c: Floats, flow_c: Floats, factor: Floats) -> Floats:
    """Heat delivered per energy drawn; `factor`: that of the installed over the catalogue's."""
    cop: Floats = factor * _fit(flow_c - outdoor_c)
    return cop


def cooling_cop(outdoor_c: Floats, factor: Floats) -> Floats:
    """Heat taken from the room per energy drawn, with cold water of 10 C.

    The same machine the other way round: what it takes from the cold side is what it delivers
    on the warm side less the energy that it draws.
    """
    cop: Floats = factor * _fit(outdoor_c - _COLD_FLOW_C) - 1.0
    return cop
