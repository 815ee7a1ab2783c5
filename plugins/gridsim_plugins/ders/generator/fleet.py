"""The DER type `generator`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import (
    Capability,
    DerSettings,
    Fleet,
    Floats,
    Members,
    Orders,
    Register,
    Stage,
    Telemetry,
    Tick,
    Unit,
    hookimpl,
)
from gridsim_plugins.ders.generator import engine


class GeneratorSettings(DerSettings):
    """Settings of the DER type `generator`; `nameplate_capacity` is the prime power rating.

    The fuel curve's defaults are those of HOMER (NREL) for diesel: 31 % efficiency at full
    load and 25 % at half load.
    """

    min_load: Annotated[float, Unit("%")] = Field(
        30.0,
        ge=0.0,
        le=100.0,
        description="least load of the nameplate at which it may run for long; diesel makers "
        "ask for about 30 % against wet stacking",
    )
    start_delay_s: Annotated[float, Unit("s")] = Field(
        10.0,
        ge=0.0,
        description="from the call to the closed breaker; 10 s is what NFPA 110 type 10 asks of "
        "a standby set",
    )
    ramp_rate: Annotated[float, Unit("%/s")] = Field(
        5.0, gt=0.0, description="how fast the load changes, of the nameplate"
    )
    min_run_s: Annotated[float, Unit("s")] = Field(
        300.0, ge=0.0, description="once on load it runs at least this long, unless ordered to stop"
    )
    strategy: Literal["idle", "follow_load"] = Field(
        "idle",
        description="without a setpoint: stand still; or cover what the site draws while that "
        "is above start_above",
    )
    start_above: Annotated[float | None, Unit("kW")] = Field(
        None,
        ge=0.0,
        description="for follow_load: starts when its share of what the site draws is above "
        "this, stops below the minimum load; unset: above the minimum load; at most the nameplate",
    )
    fuel_no_load: Annotated[float, Unit("l/h/kW")] = Field(
        0.08, ge=0.0, description="fuel for running at no load, per kW of nameplate (HOMER)"
    )
    fuel_slope: Annotated[float, Unit("l/h/kW")] = Field(
        0.25, gt=0.0, description="further fuel per kW delivered (HOMER)"
    )


class Generator(Fleet):
    """Runs on a setpoint or to follow the site's load, never for long below its minimum load.

    A positive setpoint starts it and asks for that power, raised to the minimum load; zero or
    a negative one unloads it at the ramp rate and stops it. After a call it takes the start
    delay until the breaker closes, then loads from zero at the ramp rate. Without a setpoint
    and strategy it stops, and so it does under a limit below its minimum load. `capability`
    says what it can do once it is loaded: a set that stands still promises its nameplate and
    delivers it a start and a ramp later.

    `fuel_l` is the fuel used since the start of the simulation.
    """

    Settings = GeneratorSettings
    reported_type = "generator"
    columns = {"fuel_l": "l"}  # noqa: RUF012 - the contract's class attribute

    @classmethod
    def stage(cls, settings: Any) -> Stage:
        return "flexible"

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        column, n = members.columns, len(members)
        self._rated = column["nameplate_capacity"]
        self._least = self._rated * column["min_load"] / 100.0
        self._delay = column["start_delay_s"]
        self._rate = self._rated * column["ramp_rate"] / 100.0
        self._min_run = column["min_run_s"]
        above = column["start_above"]
        threshold = np.where(np.isnan(above), self._least, above)
        self._threshold = np.minimum(threshold, self._rated)
        self._follows = members.choose(lambda s: s.strategy == "follow_load", np.bool_)
        self._no_load, self._slope = column["fuel_no_load"], column["fuel_slope"]
        self._power = np.zeros(n)
        self._closed = np.zeros(n, np.bool_)
        """The breaker; while it is open, the power is zero."""
        self._wait = self._delay
        """Seconds until the breaker closes, once called."""
        self._run = np.zeros(n)
        """Seconds since it closed."""
        self._fuel = np.zeros(n)

    def balances(self) -> NDArray[np.bool_]:
        """Those that follow the load take a share in balancing their site."""
        return self._follows

    def capability(self, tick: Tick) -> Capability:
        """From standing still to the nameplate; who follows the load wishes to go on as it is."""
        wish = np.where(self._follows, self._power, 0.0)
        return Capability(np.zeros(len(self.members)), self._rated, wish)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        wanted = self._wanted(orders)
        called = wanted > 0.0
        if not (self._closed.any() or called.any()):
            self._wait = self._delay
            return Telemetry(self._power, extra={"fuel_l": self._fuel})
        power, running_s = self._advance(wanted, called, tick.dt_s)
        energy = power * tick.dt_s / 3600.0
        used = engine.fuel_used(running_s, energy, self._rated, self._no_load, self._slope)
        self._fuel = self._fuel + used
        return Telemetry(power, extra={"fuel_l": self._fuel})

    def _wanted(self, orders: Orders) -> Floats:
        """The load to go to; zero: stop."""
        asked, share = orders.setpoint_kw, orders.balance_kw
        # A running set stays on below its threshold, and for its least time even below its
        # minimum load: starting over and over wears it out.
        stays = self._closed & ((share >= self._least) | (self._run < self._min_run))
        follow = self._follows & (((share >= self._threshold) & (share > 0.0)) | stays)
        own = np.where(follow, np.maximum(share, self._least), 0.0)
        ordered = np.where(asked > 0.0, np.maximum(asked, self._least), 0.0)
        wanted = np.minimum(np.where(np.isnan(asked), own, ordered), self._rated)
        if orders.max_kw is not None:
            # Who may give no more than that cannot run at all.
            stops = orders.max_kw < self._least
            wanted = np.where(stops, 0.0, np.minimum(wanted, orders.max_kw))
        return wanted

    def _advance(
        self, wanted: Floats, called: NDArray[np.bool_], dt_s: float
    ) -> tuple[Floats, Floats]:
        """Mean power over the tick, and the seconds in it on which the engine ran on load."""
        waits = called & ~self._closed
        waited = np.where(waits, np.minimum(self._wait, dt_s), 0.0)
        self._wait = np.where(waits, self._wait - waited, self._delay)
        closed = self._closed | (waits & (self._wait <= 0.0))
        on_load = np.where(closed, dt_s - waited, 0.0)
        end, energy = engine.ramp(self._power, wanted, self._rate, on_load)
        # The breaker opens when an engine that is to stop has unloaded.
        opens = closed & ~called & (end <= 0.0)
        unloading = np.minimum(self._power / self._rate, dt_s)
        on_load = np.where(opens, unloading, on_load)
        self._power = np.where(closed, end, 0.0)
        self._closed = closed & ~opens
        self._run = np.where(self._closed, self._run + on_load, 0.0)
        # At most the nameplate: the quotient's rounding may exceed it in the last bit.
        return np.minimum(energy / dt_s, self._rated), on_load


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("generator", Generator)
