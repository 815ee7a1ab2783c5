"""The settings of the DER type `battery`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gridsim.api import DerTypeName, GridSupportSettings, Unit
from gridsim.helpers import windows
from gridsim_plugins.ders.battery.losses import PRESETS, Coefficients, System, check_coefficients


class BatterySettings(GridSupportSettings):
    """Settings of the DER type `battery`; `nameplate_capacity` is the rated AC power."""

    energy_capacity_kwh: Annotated[float, Unit("kWh")] = Field(
        13.5, gt=0.0, description="usable energy between 0 and 100 % state of charge, when new"
    )
    charge_power: Annotated[float | None, Unit("kW")] = Field(
        None, gt=0.0, description="maximum AC power for charging; unset: the nameplate capacity"
    )
    initial_soc: Annotated[float | None, Unit("%")] = Field(
        None,
        ge=0.0,
        le=100.0,
        description="state of charge at the start; unset: drawn for each battery, 30 to 60 % of "
        "the way from min_soc to full",
    )
    min_soc: Annotated[float, Unit("%")] = Field(
        10.0,
        ge=0.0,
        le=100.0,
        description="backup reserve: minimum state of charge when discharging, also by a setpoint",
    )
    losses: Literal["generic", "siemens_junelight", "ideal"] = Field(
        "generic",
        description="measured system that provides the values unset below: generic AC-coupled, "
        "Siemens Junelight (both PerMod, HTW Berlin), or ideal without losses",
    )
    loss_charge: Annotated[tuple[float, float, float] | None, Unit("1")] = Field(
        None,
        description="loss curve for charging: [a, b, c] of a x^2 + b x + c, where x and the "
        "loss are shares of the nameplate capacity; unset: that of `losses`",
    )
    loss_discharge: Annotated[tuple[float, float, float] | None, Unit("1")] = Field(
        None, description="loss curve for discharging, like loss_charge; unset: that of `losses`"
    )
    cell_efficiency: Annotated[float | None, Unit("%")] = Field(
        None,
        gt=50.0,
        le=100.0,
        description="round-trip efficiency of the cells, without the loss curves; unset: of "
        "`losses`",
    )
    dead_time: Annotated[float | None, Unit("s")] = Field(
        None,
        ge=0.0,
        le=60.0,
        description="delay before a change of the target power takes effect; unset: that of "
        "`losses` (generic 1.1, where setpoints take effect at once; Siemens 1.6)",
    )
    time_constant: Annotated[float | None, Unit("s")] = Field(
        None,
        ge=0.0,
        le=600.0,
        description="time constant with which the power then approaches its target; "
        "unset: that of `losses` (generic and Siemens 0.6)",
    )
    standby_full: Annotated[float | None, Unit("W")] = Field(
        None,
        ge=0.0,
        description="power drawn from the site at rest when full; unset: of `losses` (Siemens "
        "14.9)",
    )
    standby_empty: Annotated[float | None, Unit("W")] = Field(
        None,
        ge=0.0,
        description="power drawn from the site at rest when empty; unset: of `losses` "
        "(Siemens 12.1)",
    )
    cycle_life: Annotated[float | None, Unit("1")] = Field(
        None,
        gt=0.0,
        description="full cycles after which 80 % of the capacity remain; the loss grows with "
        "their square root (Naumann, Spingler, Jossen 2020); unset: no ageing",
    )
    initial_cycles: Annotated[float, Unit("1")] = Field(
        0.0, ge=0.0, description="full cycles at the start"
    )
    strategy: Literal["self_consumption", "idle", "time_of_use"] = Field(
        "self_consumption",
        description="behaviour without a setpoint: bring the net load of the site to zero; do "
        "nothing; or charge in the charge windows, cover the net load of the site in the "
        "discharge windows, and store its surplus in between",
    )
    exclude: tuple[DerTypeName, ...] = Field(
        (),
        description='DER types that the battery does not serve, such as ["ev_charger"]: the '
        "strategy balances the net load of the site without their output; events and commands "
        "still use the battery for the whole site",
    )
    charge_windows: tuple[str, ...] = Field(
        ("00:00-06:00",),
        description="for time_of_use: windows in local time of the site, HH:MM-HH:MM",
    )
    discharge_windows: tuple[str, ...] = Field(
        ("16:00-21:00",),
        description="for time_of_use: windows in local time; they take precedence over charge "
        "windows",
    )

    @property
    def preset(self) -> System:
        """The measured system named by `losses`."""
        return PRESETS[self.losses]

    @property
    def curves(self) -> tuple[Coefficients, Coefficients]:
        """The loss curves in use, for charging and discharging."""
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
