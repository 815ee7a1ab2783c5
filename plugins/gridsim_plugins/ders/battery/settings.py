"""The settings of the DER type `battery`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gridsim.api import DerSettings, Unit, windows
from gridsim_plugins.ders.battery.losses import PRESETS, Coefficients, System, check_coefficients


class BatterySettings(DerSettings):
    """Settings of the DER type `battery`; `nameplate_capacity` is the rated AC power."""

    energy_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        13.5, gt=0.0, description="usable energy between 0 and 100 % state of charge, when new"
    )
    charge_power: Annotated[float | None, Unit("kW")] = Field(
        None, gt=0.0, description="most AC power to charge with; unset: the nameplate capacity"
    )
    initial_soc: Annotated[float, Unit("%")] = Field(
        50.0, ge=0.0, le=100.0, description="state of charge at the start"
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        10.0,
        ge=0.0,
        le=100.0,
        description="backup reserve: never discharged below, not by a setpoint either",
    )
    losses: Literal["generic", "siemens_junelight", "ideal"] = Field(
        "generic",
        description="the measured system whose figures hold where none are given below: "
        "a generic AC-coupled one, the Siemens Junelight (both PerMod, HTW Berlin), or no losses",
    )
    loss_charge: Annotated[tuple[float, float, float] | None, Unit("1")] = Field(
        None,
        description="own loss curve for charging: [a, b, c] of a x^2 + b x + c, where x and the "
        "loss are shares of the nameplate capacity; unset: that of `losses`",
    )
    loss_discharge: Annotated[tuple[float, float, float] | None, Unit("1")] = Field(
        None, description="own loss curve for discharging, as loss_charge; unset: that of `losses`"
    )
    cell_efficiency: Annotated[float | None, Unit("%")] = Field(
        None,
        gt=50.0,
        le=100.0,
        description="round trip of the cells alone, beside the loss curves; unset: of `losses`",
    )
    dead_time: Annotated[float | None, Unit("s")] = Field(
        None,
        ge=0.0,
        le=60.0,
        description="how long it takes until a change of the wanted power shows; "
        "unset: that of `losses` (Siemens 1.6)",
    )
    time_constant: Annotated[float | None, Unit("s")] = Field(
        None,
        ge=0.0,
        le=600.0,
        description="how fast the power then moves: 63 % of the way in this time; "
        "unset: that of `losses` (Siemens 0.6)",
    )
    standby_full: Annotated[float | None, Unit("W")] = Field(
        None,
        ge=0.0,
        description="draw from the site while at rest and full; unset: of `losses` (Siemens 14.9)",
    )
    standby_empty: Annotated[float | None, Unit("W")] = Field(
        None,
        ge=0.0,
        description="draw from the site while at rest and empty; unset: of `losses` (Siemens 12.1)",
    )
    cycle_life: Annotated[float | None, Unit("1")] = Field(
        None,
        gt=0.0,
        description="full cycles after which 80 % of the capacity are left; the loss grows with "
        "their square root (Naumann, Spingler, Jossen 2020); unset: the capacity does not fade",
    )
    initial_cycles: Annotated[float, Unit("1")] = Field(
        0.0, ge=0.0, description="full cycles that the battery has behind it at the start"
    )
    strategy: Literal["self_consumption", "idle", "time_of_use"] = Field(
        "self_consumption",
        description="without a setpoint: bring the site's net consumption to zero; nothing; or "
        "charge in the charge windows, cover the site's consumption in the discharge windows, "
        "and store the site's surplus in between",
    )
    charge_windows: tuple[str, ...] = Field(
        ("00:00-06:00",), description="for time_of_use, by the site's clock: HH:MM-HH:MM"
    )
    discharge_windows: tuple[str, ...] = Field(
        ("16:00-21:00",),
        description="for time_of_use, by the site's clock; they go before charge windows",
    )

    @property
    def preset(self) -> System:
        """The measured system named by `losses`."""
        return PRESETS[self.losses]

    @property
    def curves(self) -> tuple[Coefficients, Coefficients]:
        """The loss curves that hold, for charging and discharging."""
        preset = self.preset
        return self.loss_charge or preset.charge, self.loss_discharge or preset.discharge

    @field_validator("charge_windows", "discharge_windows")
    @classmethod
    def _windows_are_times(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for window in given:
            windows.parse_window(window)
        return given

    @field_validator("loss_charge", "loss_discharge")
    @classmethod
    def _curves_are_physical(cls, curve: Coefficients | None) -> Coefficients | None:
        if curve is not None:
            check_coefficients(curve)
        return curve
