"""The settings of the DER type `generator`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gridsim.api import DerSettings, Unit


class GeneratorSettings(DerSettings):
    """Settings of the DER type `generator`; `nameplate_capacity` is the prime power rating.

    The defaults of the fuel curve are those of HOMER (NREL) for diesel: 31 % efficiency at full
    load and 25 % at half load.
    """

    min_load: Annotated[float, Unit("%")] = Field(
        30.0,
        ge=0.0,
        le=100.0,
        description="minimum load in continuous operation, of the nameplate; makers of diesel sets "
        "require about 30 % to prevent wet stacking",
    )
    start_delay_s: Annotated[float, Unit("s")] = Field(
        10.0,
        ge=0.0,
        description="time from the start call to the closed breaker; NFPA 110 type 10 requires "
        "10 s of a standby set",
    )
    ramp_rate: Annotated[float, Unit("%/s")] = Field(
        5.0, gt=0.0, description="rate of change of the load, of the nameplate"
    )
    min_run_s: Annotated[float, Unit("s")] = Field(
        300.0,
        ge=0.0,
        description="minimum time on load after a start, unless a setpoint or limit stops it",
    )
    strategy: Literal["idle", "follow_load"] = Field(
        "idle",
        description="behaviour without a setpoint: stay off; or cover the load of the site while "
        "it is above start_above",
    )
    start_above: Annotated[float | None, Unit("kW")] = Field(
        None,
        ge=0.0,
        description="for follow_load: the set starts when its share of the load of the site is "
        "above this, and stops below the minimum load; unset: the minimum load; "
        "capped at the nameplate",
    )
    fuel_no_load: Annotated[float, Unit("l/h/kW")] = Field(
        0.08, ge=0.0, description="fuel at no load, per kW of nameplate (HOMER)"
    )
    fuel_slope: Annotated[float, Unit("l/h/kW")] = Field(
        0.25, gt=0.0, description="additional fuel per kW delivered (HOMER)"
    )
