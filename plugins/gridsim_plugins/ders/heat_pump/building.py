"""What a building gains and loses, beside its heating.

It is one thermal mass: the simple hourly model of ISO 13790 with one node instead of three.
Powers in kW, UA in kW/K, C in kWh/K, temperatures in degrees Celsius; scalars or float64[n].
"""

from __future__ import annotations

import numpy as np

from gridsim.api import Floats, Sites, climate, sun

WINDOWS_OPEN_K = 3.0
"""So much above the heating setpoint people open windows, if it is cooler outside; assumed."""
_WINDOWS_FULLY_K = 1.0
# Two air changes an hour of 2.5 m of height for a building of about 1 W/K and m2.
_WINDOWS_TIMES_UA = 1.5
# What the atmosphere lets through on average, clouds included.
_CLEARNESS = 0.5
_HOUR_MS = 3_600_000


def window_loss(
    now: Floats, open_at: Floats, ua: Floats, outdoor: Floats, capacity: Floats, hours: float
) -> Floats:
    """What open windows let out, kW; they do not cool below `open_at` within the step."""
    above = np.maximum(now - open_at, 0.0)
    opened = np.minimum(above / _WINDOWS_FULLY_K, 1.0)
    loss = opened * _WINDOWS_TIMES_UA * ua * np.maximum(now - outdoor, 0.0)
    most: Floats = above * capacity / hours
    return np.minimum(loss, most)


def resting_temperature(day_c: Floats, gains_kw: Floats, ua: Floats, open_at: Floats) -> Floats:
    """Where an unheated building settles at a day's mean outdoor temperature and gains."""
    closed = day_c + gains_kw / ua
    aired = day_c + gains_kw / (ua * (1.0 + _WINDOWS_TIMES_UA))
    return np.where(closed <= open_at, closed, np.maximum(aired, open_at))


def day_mean_temperature(now_c: Floats, sites: Sites, time_ms: int) -> Floats:
    """The mean of the day around UTC `time_ms`, from the present and the usual daily course."""
    zero = np.zeros(len(sites))
    latitude, longitude = sites.latitude, sites.longitude
    swing = climate.DAILY_SWING_K
    course = climate.temperature_c(zero, latitude, longitude, time_ms, swing)
    mean: Floats = now_c - (course - climate.temperature_c(zero, latitude, longitude, time_ms, 0.0))
    return mean


def day_mean_ghi(sites: Sites, time_ms: int) -> Floats:
    """The global irradiance to expect as a mean of the 24 hours from UTC `time_ms`, W/m2."""
    up = sun.up_vector(sites.latitude, sites.longitude)
    total = np.zeros(len(sites))
    for hour in range(24):
        position = sun.sun_vector(time_ms + hour * _HOUR_MS)
        height = np.maximum(sun.cos_zenith(position, up), 0.0)
        total += _CLEARNESS * sun.extraterrestrial(position) * height
    return total / 24.0
