"""The load plugin `household`."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import Floats, Load, Members, Register, Settings, Tick, Unit, hookimpl
from gridsim.helpers import Minutely
from gridsim_plugins.loads.household.appliances import SMOOTH_SHARE, Appliances
from gridsim_plugins.loads.household.profile import relative_power

_HOURS_PER_YEAR = 8760.0


class HouseholdSettings(Settings):
    """Settings of the load `household`."""

    annual_kwh: Annotated[float, Unit("kWh")] = Field(
        4000.0, gt=0.0, description="annual energy of the site, without its DERs"
    )
    spread: Annotated[float, Unit("1")] = Field(
        0.0,
        ge=0.0,
        le=2.0,
        description="variation between sites: standard deviation of the logarithm of a factor "
        "on annual_kwh with mean 1, drawn per site",
    )
    appliances: bool = Field(
        True,
        description="true: single appliances switch on and off; false: the load is the smooth "
        "profile",
    )


class Household(Load[HouseholdSettings]):
    """The standard profile of households in local time, with appliances."""

    Settings = HouseholdSettings
    kept = ("_appliances",)

    def __init__(self, members: Members[HouseholdSettings]) -> None:
        super().__init__(members)
        spread = members.columns["spread"]
        factor = np.exp(spread * members.draws.normal("household/size", members.keys))
        annual_kwh = members.columns["annual_kwh"] * factor * np.exp(-0.5 * spread**2)
        self._mean_kw = annual_kwh / _HOURS_PER_YEAR
        self._southern = members.sites.latitude[members.site] < 0.0
        self._offset = np.zeros(len(members), np.int64)
        self._slow = Minutely(self._expected_at)
        self._switching = members.choose(lambda settings: settings.appliances, np.bool_)
        self._appliances: Appliances | None = None
        if self._switching.any():
            self._appliances = Appliances(
                members.keys, members.draws, annual_kwh, self._expected_for
            )

    def at(self, tick: Tick) -> Floats:
        expected = self._slow.at(tick.time_ms)
        if self._appliances is None:
            return expected.copy()
        self._offset = self._local(tick.time_ms) - tick.time_ms
        actual = SMOOTH_SHARE * expected + self._appliances.excess(tick.time_ms)
        return np.where(self._switching, actual, expected)

    def expected(self, time_ms: int) -> Floats:
        return self._slow.at(time_ms).copy()

    def _expected_at(self, time_ms: int) -> Floats:
        return self._mean_kw * relative_power(self._local(time_ms), self._southern)

    def _expected_for(self, sites: NDArray[np.intp], time_ms: NDArray[np.int64]) -> Floats:
        local = time_ms + self._offset[sites]
        return self._mean_kw[sites] * relative_power(local, self._southern[sites])

    def _local(self, time_ms: int) -> NDArray[np.int64]:
        return self.members.sites.local_ms(time_ms)[self.members.site]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.load("household", Household)
