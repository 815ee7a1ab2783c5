"""The light on the planes of a fleet, in blocks of planes that share their models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Members, WeatherSample
from gridsim.helpers import sun
from gridsim_plugins.ders.solar import horizon, physics, sky
from gridsim_plugins.ders.solar.planes import Planes
from gridsim_plugins.ders.solar.settings import SolarSettings

# The planes of a block: its arrays stay in the cache, which halves the time.
_BLOCK = 8192

Diffuse: TypeAlias = Callable[
    [Floats, Floats, Floats | float, Floats, Floats, Floats, Floats], tuple[Floats, Floats]
]
Modifier: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class _Horizon:
    """The horizon of planes with the same profile."""

    sines: Floats
    north: Floats
    east: Floats
    sky_share: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PlaneLight:
    """The light on some planes of a fleet, which share the models of sky and glass."""

    rows: slice | NDArray[np.intp]
    """The planes."""
    site: NDArray[np.intp]
    up: Floats
    normal: Floats
    cos_tilt: Floats
    sin_tilt: Floats
    albedo: Floats
    diffuse: Diffuse
    modifier: Modifier
    dome_share: Floats | float
    """The share of the light of the sky that enters the glass."""
    ground_share: Floats | float
    """The share of the light of the ground that enters the glass."""
    horizon: _Horizon | None

    def at(
        self, weather: WeatherSample, position: sun.SunVector | sun.SunPath, above: Floats | float
    ) -> tuple[Floats, Floats]:
        """Return the irradiance on the planes, and the part that reaches the cells, W/m2.

        `above` is the irradiance above the atmosphere. The weather at k times, with the path of the
        sun, gives float64[k, n].
        """
        site = self.site
        dni, dhi, ghi = weather.dni[..., site], weather.dhi[..., site], weather.ghi[..., site]
        height = np.maximum(sun.cos_angle(position, self.up), 0.0)
        incidence = np.minimum(np.maximum(sun.cos_angle(position, self.normal), 0.0), 1.0)
        beam = dni * incidence
        around = incidence
        if self.horizon is not None:
            north = sun.cos_angle(position, self.horizon.north)
            east = sun.cos_angle(position, self.horizon.east)
            visible = horizon.hides(self.horizon.sines, north, east, height)
            beam, around = beam * visible, incidence * visible
        circumsolar, dome = self.diffuse(
            dni, dhi, above, height, around, self.cos_tilt, self.sin_tilt
        )
        if self.horizon is not None:
            dome = dome * self.horizon.sky_share
        ground = physics.ground_irradiance(ghi, self.albedo, self.cos_tilt)
        modifier = self.modifier(incidence)
        if isinstance(self.dome_share, float):
            rest = circumsolar + dome + ground
            return beam + rest, beam * modifier + rest
        usable = (beam + circumsolar) * modifier + dome * self.dome_share
        return beam + circumsolar + dome + ground, usable + ground * self.ground_share


def lights_of(members: Members[SolarSettings], planes: Planes) -> list[PlaneLight]:
    """Return the light of all planes, in blocks."""
    site, albedo = members.site[planes.device], members.columns["albedo"][planes.device]
    up, normal = planes.up, planes.normal
    north, east = planes.compass if any(one.horizon for one in members.settings) else (up, up)
    slope = np.radians(planes.tilt)
    cos_tilt, sin_tilt = np.cos(slope), np.sin(slope)
    lights = []
    for settings, rows in _blocks(members, planes):
        around = None
        if settings.horizon:
            around = _Horizon(
                horizon.sines(settings.horizon),
                north[:, rows],
                east[:, rows],
                horizon.sky_share(settings.horizon, planes.tilt[rows], planes.azimuth[rows]),
            )
        modifier = physics.MODIFIERS[settings.iam]
        shares: tuple[Floats | float, Floats | float] = 1.0, 1.0
        if settings.diffuse_iam and settings.iam != "none":
            shares = physics.diffuse_modifiers(modifier, planes.tilt[rows])
        lights.append(
            PlaneLight(
                rows,
                site[rows],
                np.ascontiguousarray(up[:, rows]),
                np.ascontiguousarray(normal[:, rows]),
                cos_tilt[rows],
                sin_tilt[rows],
                albedo[rows],
                sky.MODELS[settings.sky_model],
                modifier,
                *shares,
                around,
            )
        )
    return lights


def _blocks(
    members: Members[SolarSettings], planes: Planes
) -> Iterator[tuple[SolarSettings, slice | NDArray[np.intp]]]:
    """Yield planes with the same models and horizon, and the settings of one of them."""
    groups: dict[object, list[int]] = {}
    for place, one in enumerate(members.settings):
        groups.setdefault((one.sky_model, one.iam, one.diffuse_iam, one.horizon), []).append(place)
    stanza = members.stanza[planes.device]
    for places in groups.values():
        settings = members.settings[places[0]]
        if len(groups) == 1:
            for start in range(0, len(planes), _BLOCK):
                yield settings, slice(start, start + _BLOCK)
            return
        rows = np.flatnonzero(np.isin(stanza, places))
        for start in range(0, len(rows), _BLOCK):
            yield settings, rows[start : start + _BLOCK]
