"""Grid support of inverters by IEEE 1547-2018, for DER types whose settings offer it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field

from gridsim.contracts.members import Members
from gridsim.contracts.settings import DerSettings, Unit
from gridsim.contracts.state import Stateful
from gridsim.contracts.support_points import (
    FreqWattPoints,
    Points,
    VoltVarPoints,
    VoltWattPoints,
)
from gridsim.contracts.tick import Tick
from gridsim.helpers import support_curves
from gridsim.helpers.randomness import Floats

Category = Literal["off", "category_a", "category_b"]
# Of a change 90 % are reached after the open-loop response time.
_TIME_CONSTANTS: Final = float(np.log(10.0))
_FLAT: Final = tuple((at, 0.0) for at in (-2.0, -1.0, 1.0, 2.0))
# The voltage is found to within 1e-7 of the nominal one.
_LOWEST, _HIGHEST, _HALVINGS = 0.5, 1.5, 24


class GridSupportSettings(DerSettings):
    """Settings of a DER type with grid support by the curves of IEEE 1547-2018, or by own ones."""

    volt_var: Category | VoltVarPoints = Field(
        "off",
        description="reactive power by the voltage, IEEE 1547-2018: category_a up to 25 % of the "
        "apparent power from 90 to 110 % of the voltage, category_b up to 44 % from 92 to 108 %. "
        "Or four points, the voltage as a share of the nominal one and the injected share of the "
        "apparent power: [[0.92, 0.44], [0.98, 0.0], [1.02, 0.0], [1.08, -0.44]]",
    )
    volt_watt: Category | VoltWattPoints = Field(
        "off",
        description="limit of the active power by the voltage, IEEE 1547-2018: from 100 % at 106 % "
        "of the voltage to 0 at 110 %, in both categories. Or two points, the voltage and the "
        "share of the nameplate capacity: [[1.06, 1.0], [1.10, 0.0]]",
    )
    freq_watt: bool | FreqWattPoints = Field(
        False,
        description="true: active power by the frequency, IEEE 1547-2018: 5 % droop beyond a "
        "deadband of 0.036 Hz. Or four points, the difference from the nominal frequency in Hz and "
        "the change as a share of the nameplate capacity: [[-0.5, 0.2], [-0.05, 0.0], [0.05, 0.0], "
        "[0.5, -0.2]]",
    )
    apparent_power: Annotated[float | None, Unit("kVA")] = Field(
        None,
        gt=0.0,
        le=1e9,
        description="rated apparent power for grid support: reactive power comes first within it. "
        "Unset: the nameplate capacity",
    )

    @property
    def supports_grid(self) -> bool:
        """True if any of the functions is on."""
        return self.volt_var != "off" or self.volt_watt != "off" or bool(self.freq_watt)


class GridSupport(Stateful):
    """The grid support of n devices: changes their active power, and adds reactive power.

    The voltage of a tick depends on the power of the tick and the power on the voltage. The result
    is the voltage at which both agree: each tick starts from the voltage of the tick before, takes
    out the devices' own power then, and finds the fixed point by halving an interval, for all
    devices of a fleet at a site together. It is therefore stable for any length of the tick.
    """

    kept = ("_kw", "_kvar", "_wanted", "_limit", "_change")

    def __init__(self, members: Members[Any]) -> None:
        """Take the members, whose settings are `GridSupportSettings`."""
        n = len(members)
        self._site, self._sites = members.site, len(members.sites)
        self._rated = members.columns["nameplate_capacity"]
        apparent = members.columns["apparent_power"]
        self._apparent = np.where(np.isnan(apparent), self._rated, apparent)
        curves = [_volt_var(one.volt_var) for one in members.settings]

        def points(given: Sequence[Points]) -> Floats:
            """Return the points of each device, float64[points, 2, n]."""
            return np.moveaxis(np.array(given, np.float64)[members.stanza], 0, -1)

        self._volt_var = points([one.points for one in curves])
        self._volt_watt = points(
            [
                support_curves.VOLT_WATT if isinstance(one.volt_watt, str) else one.volt_watt
                for one in members.settings
            ]
        )
        frequencies = [one.freq_watt for one in members.settings]
        self._freq_watt = points([_FLAT if isinstance(one, bool) else one for one in frequencies])
        self._response_s = np.array([one.response_s for one in curves])[members.stanza]
        self._limits = members.choose(lambda one: float(one.volt_watt != "off"), float)
        self._droops = members.choose(lambda one: float(one.freq_watt is True), float)
        self._has_droop = any(frequencies)
        self._has_points = any(not isinstance(one, bool) for one in frequencies)
        self._by_voltage = any(
            one.volt_var != "off" or one.volt_watt != "off" for one in members.settings
        )
        self._kw, self._kvar = np.zeros(n), np.zeros(n)
        """The power of the tick before."""
        self._wanted = np.zeros(n)
        """The reactive power by the curve, kvar."""
        self._limit = np.ones(n)
        """The limits of volt-watt, as shares of the rated power."""
        self._change = np.zeros(n)
        """The changes by frequency-droop, as shares of the rated power."""

    @classmethod
    def of(cls, members: Members[Any]) -> GridSupport | None:
        """Return the grid support of a fleet; None if no device has any."""
        used = any(one.supports_grid for one in members.settings)
        return cls(members) if used else None

    def apply(
        self, tick: Tick, power: Floats, min_kw: Floats, max_kw: Floats
    ) -> tuple[Floats, Floats]:
        """Return the active power within the limits, kW, and the reactive power, kvar.

        `power` is the power without grid support; all are float64[n]. Call it once per tick.
        """
        if tick.grid is None:
            return power, np.zeros(len(power))
        grid, site = tick.grid, self._site
        if self._has_droop:
            target = support_curves.droop(grid.frequency_hz, grid.nominal_hz)[site] * self._droops
            if self._has_points:
                off_hz = (grid.frequency_hz - grid.nominal_hz)[site]
                target += support_curves.along(off_hz, self._freq_watt)
            self._change += _share(tick.dt_s, support_curves.DROOP_RESPONSE_S) * (
                target - self._change
            )
            power = power + self._change * self._rated
        power = np.minimum(np.maximum(power, min_kw), max_kw)
        if not self._by_voltage:
            self._kw = power
            return power, np.zeros(len(power))
        base = grid.voltage_pu - self._rise(grid.pu_per_kw, grid.pu_per_kvar, self._kw, self._kvar)
        low, high = np.full(self._sites, _LOWEST), np.full(self._sites, _HIGHEST)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            kw, kvar, *_ = self._at(tick.dt_s, middle, power, min_kw)
            above = base + self._rise(grid.pu_per_kw, grid.pu_per_kvar, kw, kvar) > middle
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        self._kw, self._kvar, self._wanted, self._limit = self._at(tick.dt_s, high, power, min_kw)
        return self._kw, self._kvar

    def _at(
        self, dt_s: float, voltage: Floats, power: Floats, min_kw: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the active and the reactive power, the reactive power by the curve, and the
        limits by volt-watt at voltages, float64[sites].
        """
        own = voltage[self._site]
        target = support_curves.along(own, self._volt_var) * self._apparent
        wanted = self._wanted + _share(dt_s, self._response_s) * (target - self._wanted)
        limit = self._limit + _share(dt_s, support_curves.VOLT_WATT_RESPONSE_S) * (
            1.0 - self._limits * (1.0 - support_curves.along(own, self._volt_watt)) - self._limit
        )
        kw = np.maximum(np.minimum(power, limit * self._rated), min_kw)
        able = support_curves.reactive_capability(np.abs(kw) / self._rated) * self._apparent
        kvar = np.minimum(np.maximum(wanted, -able), able)
        room = np.sqrt(np.maximum(self._apparent**2 - kvar**2, 0.0))
        return np.minimum(np.maximum(kw, -room), room), kvar, wanted, limit

    def _rise(self, pu_per_kw: Floats, pu_per_kvar: Floats, kw: Floats, kvar: Floats) -> Floats:
        """Return the rise of the voltage by the devices' power, float64[sites]."""
        active = np.bincount(self._site, kw, self._sites)
        rise: Floats = pu_per_kw * active + pu_per_kvar * np.bincount(self._site, kvar, self._sites)
        return rise


def _volt_var(given: Category | Points) -> support_curves.VoltVar:
    """Return the curve of a setting; own points have the response time of category B."""
    if isinstance(given, str):
        return support_curves.VOLT_VAR[given]
    return support_curves.VoltVar(given, support_curves.VOLT_VAR["category_b"].response_s)


def _share(dt_s: float, response_s: float | Floats) -> Any:
    """Return the share of a change that is reached within a tick."""
    return -np.expm1(-_TIME_CONSTANTS * dt_s / response_s)
