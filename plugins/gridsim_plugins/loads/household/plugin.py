"""The load plugin `household`."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    Floats,
    Load,
    Members,
    Register,
    Settings,
    Tick,
    TickBlock,
    Unit,
    hookimpl,
)
from gridsim.helpers import Minutely
from gridsim.helpers.holidays import Holidays
from gridsim_plugins.loads.household.cold import Compressors
from gridsim_plugins.loads.household.fluctuation import Fluctuation
from gridsim_plugins.loads.household.homes import base_factor, draw_homes
from gridsim_plugins.loads.household.profile import (
    PROFILES,
    Profile,
    ProfileName,
    relative_power,
)
from gridsim_plugins.loads.household.timeline import Timeline
from gridsim_plugins.loads.household.uses import Uses

_HOURS_PER_YEAR = 8760.0
_BLOCK = 4096
"""The number of homes whose appliances are computed together: they fit the CPU cache."""


class HouseholdSettings(Settings):
    """Settings of the load `household`."""

    annual_kwh: Annotated[float, Unit("kWh")] = Field(
        4000.0,
        gt=0.0,
        description="annual energy of the site, without its DERs: the mean, if `spread` is not 0",
    )
    spread: Annotated[float, Unit("1")] = Field(
        0.5,
        ge=0.0,
        le=2.0,
        description="variation between sites: standard deviation of the logarithm of a factor "
        "on annual_kwh with mean 1, drawn per site; 0: every site has annual_kwh",
    )
    profile: ProfileName = Field(
        "H0",
        description="standard load profile of many homes together: H0 of 1999, of customers "
        "measured before 1997, or H25 of 2025, which is higher at night and lower at noon",
    )
    appliances: bool = Field(
        True,
        description="true: a base load, and single appliances that switch on and off; false: the "
        "load is the smooth profile",
    )


class Household(Load[HouseholdSettings]):
    """A standard profile of households in local time, as the sum of homes with appliances.

    The profiles are H0 (VDEW, 1999) and H25 (BDEW, 2025). The expectation is the profile. The load
    of a home is its base load, which is standby and cold appliances, and the uses of the appliances
    that it owns, while its occupants are there, with a fluctuation of some watts. The mean of many
    homes is the profile.
    """

    Settings = HouseholdSettings
    power_factor = 0.97
    kept = ()

    def __init__(self, members: Members[HouseholdSettings]) -> None:
        super().__init__(members)
        spread = members.columns["spread"]
        deviate = members.draws.normal("household/size", members.keys)
        annual_kwh = members.columns["annual_kwh"] * np.exp(spread * deviate - 0.5 * spread**2)
        self._mean_kw = annual_kwh / _HOURS_PER_YEAR
        self._southern = members.sites.latitude[members.site] < 0.0
        self._slow = Minutely(self._expected_at, self._expected_at_many)
        self._alike = _alike(members)
        switching = members.choose(lambda settings: settings.appliances, np.bool_)
        self._smooth = not bool(switching.all())
        factor = base_factor(spread, deviate)
        parts = [
            (alike, rows)
            for alike, homes in self._alike
            for rows in _in_blocks(homes[switching[homes]])
        ]
        self._blocks: list[tuple[NDArray[np.intp], _Block]] = []
        for number, (alike, rows) in enumerate(parts):
            early = number / len(parts)
            block = _Block(members.some(rows), annual_kwh[rows], factor[rows], early, *alike)
            self._blocks.append((rows, block))

    def at(self, tick: Tick) -> Floats:
        n = len(self.members)
        load = self._slow.at(tick.time_ms).copy() if self._smooth else np.empty(n)
        end_ms = tick.time_ms + round(tick.dt_s * 1000.0)
        for rows, block in self._blocks:
            load[rows] = block.mean_kw(tick.time_ms, end_ms)
        return load

    def block(self, ticks: TickBlock) -> Floats:
        times, n = ticks.times_ms, len(self.members)
        load = self._slow.block(times) if self._smooth else np.empty((len(ticks), n))
        tick_ms = round(ticks.dt_s * 1000.0)
        for rows, block in self._blocks:
            load[:, rows] = block.means_kw(int(times[0]), tick_ms, len(ticks))
        return load

    def expected(self, time_ms: int) -> Floats:
        return self._slow.at(time_ms).copy()

    def _expected_at(self, time_ms: int) -> Floats:
        local, power = self._local(time_ms), np.empty(len(self.members))
        for alike, rows in self._alike:
            power[rows] = relative_power(local[rows], self._southern[rows], *alike)
        return self._mean_kw * power

    def _expected_at_many(self, times_ms: NDArray[np.int64]) -> Floats:
        """Return the same at k times, float64[k, n]."""
        local = np.stack([self._local(one) for one in times_ms.tolist()])
        power = np.empty(local.shape)
        for alike, rows in self._alike:
            southern = np.tile(self._southern[rows], len(local))
            relative = relative_power(local[:, rows].reshape(-1), southern, *alike)
            power[:, rows] = relative.reshape(len(local), -1)
        return self._mean_kw * power

    def _local(self, time_ms: int) -> NDArray[np.int64]:
        return self.members.sites.local_ms(time_ms)[self.members.site]


def _alike(
    members: Members[HouseholdSettings],
) -> list[tuple[tuple[Profile, Holidays], NDArray[np.intp]]]:
    """Return the profiles and public holidays among the members, each with its rows."""
    calendars, names = members.sites.calendars, list(PROFILES)
    profile = members.choose(lambda settings: names.index(settings.profile), np.intp)
    both = profile * len(calendars) + members.sites.calendar[members.site]
    return [
        (
            (PROFILES[names[one // len(calendars)]], calendars[one % len(calendars)]),
            np.flatnonzero(both == one),
        )
        for one in np.unique(both).tolist()
    ]


def _in_blocks(rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return np.array_split(rows, -(-len(rows) // _BLOCK)) if len(rows) else []


class _Block:
    """Homes whose appliances are computed together."""

    def __init__(
        self,
        members: Members[HouseholdSettings],
        annual_kwh: Floats,
        factor: Floats,
        early: float,
        profile: Profile,
        holidays: Holidays,
    ) -> None:
        keys, draws = members.keys, members.draws
        homes = draw_homes(keys, draws, annual_kwh, factor, profile)
        self._standby_w = homes.standby_mw * 1e-3
        self._scale = homes.parts * 1e-3
        southern = members.sites.latitude[members.site] < 0.0
        uses = Uses(keys, draws, homes, members.sites, members.site, southern, profile, holidays)
        cold = Compressors(homes.cold, draws)
        fluctuation = Fluctuation(keys, draws, homes.standby_mw, homes.calm)
        self._timeline = Timeline(len(keys), uses, cold, fluctuation, early)

    def mean_kw(self, start_ms: int, end_ms: int) -> Floats:
        """Return the mean load over [start_ms, end_ms), float64[n], kW."""
        load: Floats = (self._standby_w + self._timeline.mean_w(start_ms, end_ms)) * self._scale
        return load

    def means_kw(self, start_ms: int, tick_ms: int, count: int) -> Floats:
        """Return the mean load over each of `count` ticks from `start_ms` on, [count, n], kW."""
        means = self._timeline.means_w(start_ms, tick_ms, count)
        load: Floats = (self._standby_w + means) * self._scale
        return load


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("household", Household)
