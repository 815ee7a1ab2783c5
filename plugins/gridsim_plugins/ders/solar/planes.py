"""The planes of solar arrays, one or several for each inverter, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members
from gridsim.helpers import sun
from gridsim_plugins.ders.solar.settings import SolarSettings

# The nominal power of a module, kW, by which the modules of an array are counted.
_MODULE_KW = 0.4
# The exponent C of Bucciarelli for a fill factor of 0.77.
_FILL = 13.0


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Planes of modules, columns of length n; the planes of a device are consecutive."""

    device: NDArray[np.intp]
    """The index of the device."""
    latitude: Floats
    longitude: Floats
    tilt: Floats
    """deg"""
    azimuth: Floats
    """deg"""
    rated_dc: Floats
    """kW, without losses."""

    def __len__(self) -> int:
        return len(self.device)

    @property
    def up(self) -> Floats:
        """The unit vectors that point up, float64[3, n]."""
        return sun.up_vector(self.latitude, self.longitude)

    @property
    def normal(self) -> Floats:
        """The unit normals, float64[3, n]."""
        return sun.panel_normal(self.latitude, self.longitude, self.tilt, self.azimuth)

    @property
    def compass(self) -> tuple[Floats, Floats]:
        """The unit vectors that point north and east, float64[3, n] each."""
        upright = np.full(len(self), 90.0)
        north, east = (
            sun.panel_normal(self.latitude, self.longitude, upright, np.full(len(self), heading))
            for heading in (0.0, 90.0)
        )
        return north, east


def planes_of(members: Members[SolarSettings]) -> Planes:
    """Return the planes of all devices: those in `arrays`, or one by the device's own settings."""
    column = members.columns
    rated = column["nameplate_capacity"] * column["dc_ac_ratio"]
    counts = members.choose(lambda settings: max(len(settings.arrays), 1), np.intp)
    device = np.repeat(np.arange(len(members), dtype=np.intp), counts)
    number = np.arange(len(device)) - np.repeat(np.cumsum(counts) - counts, counts)
    tilt, azimuth, kw = column["tilt"][device], column["azimuth"][device], rated[device]
    for place, one, values in _given(members):
        rows = (members.stanza[device] == place) & (number == one)
        tilt[rows], azimuth[rows], kw[rows] = values
    site = members.site[device]
    latitude = members.sites.latitude[site]
    equator = np.where(latitude >= 0.0, 180.0, 0.0)
    azimuth = np.where(np.isnan(azimuth), equator, azimuth)
    return Planes(device, latitude, members.sites.longitude[site], tilt, azimuth, kw)


def _given(members: Members[SolarSettings]) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    """Yield stanza, number, and tilt, azimuth and power of each plane in `arrays`."""
    for place, settings in enumerate(members.settings):
        for number, array in enumerate(settings.arrays):
            azimuth = np.nan if array.azimuth is None else array.azimuth
            yield place, number, (array.tilt, azimuth, array.capacity_kw)


def module_factor(deviation: Floats, rated_dc: Floats, normal: Floats) -> Floats:
    """Return the power of planes whose modules differ, over that of equal modules.

    `deviation` is the standard deviation of the modules' power, as a fraction; `normal` are
    standard normal deviates. The mean of a plane differs by the deviation over the root of the
    number of modules. Modules in series lose (C + 2) / 2 times the variance: Bucciarelli, Solar
    Energy 23 (1979).
    """
    modules = np.maximum(np.rint(rated_dc / _MODULE_KW), 1.0)
    mismatch = (_FILL + 2.0) / 2.0 * deviation**2 * (1.0 - 1.0 / modules)
    factor: Floats = np.maximum(1.0 + deviation * normal / np.sqrt(modules) - mismatch, 0.0)
    return factor
