"""The settings of the DER type `wind_turbine`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from gridsim.api import CurtailableSettings, CurtailmentRate, Unit


class WindTurbineSettings(CurtailableSettings):
    """Settings of the DER type `wind_turbine`; `nameplate_capacity` is the rated AC power."""

    hub_height: Annotated[float, Unit("m")] = Field(
        30.0, ge=5.0, le=200.0, description="height of the hub above the ground"
    )
    shear: Annotated[float, Unit("1")] = Field(
        0.2,
        ge=0.0,
        le=0.6,
        description="exponent of the increase of the wind with height: 0.1 over water, 0.14 "
        "over open "
        "land, 0.2 the design value of IEC 61400-1, 0.3 over suburbs",
    )
    mean_wind: Annotated[float | None, Unit("m/s")] = Field(
        None,
        gt=0.0,
        le=20.0,
        description="annual mean of the wind at the hub, for example from a wind atlas; IEC "
        "61400-1 has 10, "
        "8.5, 7.5 and 6 for the classes I to IV. The wind is then of this climate, shared within "
        "about 50 km. Unset: the weather's wind, raised by shear",
    )
    weibull_k: Annotated[float, Unit("1")] = Field(
        2.0,
        ge=1.0,
        le=4.0,
        description="shape of the Weibull distribution with mean_wind: 2 is Rayleigh's (IEC "
        "61400-1); 1.5 to 1.9 inland, 2 to 2.4 at coasts, 2.5 to 4 in trade winds",
    )
    cut_in_wind: Annotated[float, Unit("m/s")] = Field(
        3.0, ge=0.5, le=8.0, description="wind at the hub above which the turbine produces power"
    )
    rated_wind: Annotated[float, Unit("m/s")] = Field(
        11.4, gt=8.0, le=20.0, description="wind at the hub that gives the nameplate capacity"
    )
    cut_out_wind: Annotated[float, Unit("m/s")] = Field(
        25.0, ge=15.0, description="mean wind at the hub at which the turbine stops"
    )
    cut_out_hysteresis: Annotated[float, Unit("m/s")] = Field(
        3.0,
        ge=0.0,
        le=10.0,
        description="fall of the wind below cut_out_wind after which the turbine restarts",
    )
    turbulence_intensity: Annotated[float, Unit("1")] = Field(
        0.14,
        ge=0.0,
        le=0.4,
        description="turbulence intensity at 15 m/s: 0.16, 0.14, 0.12 are the classes A, B, C of "
        "IEC 61400-1; 0 switches gusts off",
    )
    response_s: Annotated[float, Unit("s")] = Field(
        3.0, ge=0.0, le=60.0, description="time constant with which the rotor follows a gust"
    )
    curtailment_rate: CurtailmentRate = 10.0

    @model_validator(mode="after")
    def _winds_are_in_order(self) -> Self:
        if self.cut_out_wind <= self.rated_wind:
            raise ValueError("cut_out_wind must be above rated_wind")
        return self
