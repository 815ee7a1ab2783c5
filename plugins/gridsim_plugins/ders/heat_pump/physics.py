"""The physics of a building with one thermal mass, and of its air-source heat pump.

The building is the simple hourly model of ISO 13790, with one node instead of three. Powers
in kW, UA in kW/K, heat capacities in kWh/K, temperatures in degrees Celsius; scalars or
float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats, Sites
from gridsim.helpers import climate, sun

WINDOWS_OPEN_K = 3.0
"""The excess over the heating setpoint at which windows are opened, if it is cooler outside.

An assumption.
"""
_WINDOWS_FULLY_K = 1.0
# Two air changes an hour, at 2.5 m of height, for a building of about 1 W/K per m2.
_WINDOWS_TIMES_UA = 1.5
# The mean transmittance of the atmosphere, clouds included.
_CLEARNESS = 0.5
_HOUR_MS = 3_600_000
# The fit holds for a lift of 15 K and more; above 90 K the parabola would rise again.
_MIN_LIFT_K, _MAX_LIFT_K = 15.0, 90.0
_COLD_FLOW_C = 10.0

HEATING_CURVES = {"radiator": (40.0, -1.0), "floor": (30.0, -0.5)}
"""Flow temperature at 0 C outdoors, and its change per K (Ruhnau et al. 2019)."""


def window_loss(
    now: Floats, open_at: Floats, ua: Floats, outdoor: Floats, capacity: Floats, hours: float
) -> Floats:
    """Return the heat lost by open windows, kW; they never cool below `open_at` in the step."""
    above = np.maximum(now - open_at, 0.0)
    opened = np.minimum(above / _WINDOWS_FULLY_K, 1.0)
    loss = opened * _WINDOWS_TIMES_UA * ua * np.maximum(now - outdoor, 0.0)
    highest: Floats = above * capacity / hours
    return np.minimum(loss, highest)


def resting_temperature(day_c: Floats, gains_kw: Floats, ua: Floats, open_at: Floats) -> Floats:
    """Return the steady temperature of an unheated building.

    `day_c` is the mean outdoor temperature of the day, `gains_kw` the mean gains.
    """
    closed = day_c + gains_kw / ua
    aired = day_c + gains_kw / (ua * (1.0 + _WINDOWS_TIMES_UA))
    return np.where(closed <= open_at, closed, np.maximum(aired, open_at))


def day_mean_temperature(now_c: Floats, sites: Sites, time_ms: int) -> Floats:
    """Return the mean of the day around UTC `time_ms`, from the present temperature.

    It subtracts the usual daily course from the present temperature.
    """
    usual = climate.normals(sites.latitude, sites.longitude, sites.altitude)
    return now_c - usual.course_k(time_ms)


def day_mean_ghi(sites: Sites, time_ms: int) -> Floats:
    """Return the expected mean global irradiance of the 24 hours from UTC `time_ms`, W/m2."""
    up = sun.up_vector(sites.latitude, sites.longitude)
    total = np.zeros(len(sites))
    for hour in range(24):
        position = sun.sun_vector(time_ms + hour * _HOUR_MS)
        height = np.maximum(sun.cos_zenith(position, up), 0.0)
        total += _CLEARNESS * sun.extraterrestrial(position) * height
    return total / 24.0


def heating_cop(outdoor_c: Floats, flow_c: Floats, factor: Floats) -> Floats:
    """Return the heat delivered per energy drawn.

    `factor` is the efficiency as installed over that of the manufacturer.
    """
    cop: Floats = factor * _fit(flow_c - outdoor_c)
    return cop


def cooling_cop(outdoor_c: Floats, factor: Floats) -> Floats:
    """Return the heat taken from the room per energy drawn, with cold water of 10 C.

    The machine runs in reverse: the heat taken on the cold side is the heat delivered on the
    warm side less the energy drawn.
    """
    cop: Floats = factor * _fit(outdoor_c - _COLD_FLOW_C) - 1.0
    return cop


def _fit(lift: Floats) -> Floats:
    """Return the COP for a lift in K.

    Ruhnau, Hirth, Praktiknjo: Time series of heat demand and heat pump efficiency for energy
    system modeling, Scientific Data 6 (2019), for air as the source: a regression on
    manufacturers' data.
    """
    k = np.minimum(np.maximum(lift, _MIN_LIFT_K), _MAX_LIFT_K)
    cop: Floats = 6.08 - 0.09 * k + 0.0005 * k * k
    return cop
