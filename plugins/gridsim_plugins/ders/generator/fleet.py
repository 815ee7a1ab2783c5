"""The DER type `generator`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Fleet, Floats, Members, Orders, Stage, Telemetry, Tick
from gridsim_plugins.ders.generator import physics
from gridsim_plugins.ders.generator.settings import GeneratorSettings


class Generator(Fleet[GeneratorSettings]):
    """Generating sets that run on a setpoint or follow the load of their sites.

    A positive setpoint starts a set; the power is the setpoint, raised to the minimum load. A
    setpoint of zero or below unloads the set at the ramp rate and stops it. After a start call the
    breaker closes when the start delay is over; the load then rises from zero at the ramp rate. A
    set stops where it has neither a setpoint nor a strategy, and under a limit below its minimum
    load. `capability` assumes a loaded set: a set that is off offers its nameplate, and delivers it
    after the start delay and the ramp.

    `fuel_l` is the fuel used since the start of the simulation.
    """

    Settings = GeneratorSettings
    reported_type = "generator"
    kept = ("_power", "_closed", "_wait", "_run", "_fuel")
    columns = {"fuel_l": "l"}  # noqa: RUF012 - the contract's class attribute

    @classmethod
    def stage(cls, settings: GeneratorSettings) -> Stage:
        return "flexible"

    def __init__(self, members: Members[GeneratorSettings]) -> None:
        super().__init__(members)
        column, n = members.columns, len(members)
        self._rated = column["nameplate_capacity"]
        self._min_load = self._rated * column["min_load"] / 100.0
        self._delay = column["start_delay_s"]
        self._rate = self._rated * column["ramp_rate"] / 100.0
        self._min_run = column["min_run_s"]
        above = column["start_above"]
        threshold = np.where(np.isnan(above), self._min_load, above)
        self._threshold = np.minimum(threshold, self._rated)
        self._follows = members.choose(lambda s: s.strategy == "follow_load", np.bool_)
        self._no_load, self._slope = column["fuel_no_load"], column["fuel_slope"]
        self._power = np.zeros(n)
        self._closed = np.zeros(n, np.bool_)
        """True where the breaker is closed; the power is zero while it is open."""
        self._wait = self._delay
        """The seconds from a start call until the breaker closes."""
        self._run = np.zeros(n)
        """The seconds since the breaker closed."""
        self._fuel = np.zeros(n)

    def balances(self) -> NDArray[np.bool_]:
        """Return true for the sets that follow the load."""
        return self._follows

    def capability(self, tick: Tick) -> Capability:
        """Return zero to the nameplate; a set that follows the load prefers its present power."""
        preferred = np.where(self._follows, self._power, 0.0)
        return Capability(np.zeros(len(self.members)), self._rated, preferred)

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        target = self._target(orders)
        called = target > 0.0
        if not (self._closed.any() or called.any()):
            self._wait = self._delay
            return Telemetry(self._power, extra={"fuel_l": self._fuel})
        power, running_s = self._advance(target, called, tick.dt_s)
        energy = power * tick.dt_s / 3600.0
        used = physics.fuel_used(running_s, energy, self._rated, self._no_load, self._slope)
        self._fuel = self._fuel + used
        return Telemetry(power, extra={"fuel_l": self._fuel})

    def _target(self, orders: Orders) -> Floats:
        """Return the target load, float64[n], kW; zero stops the set."""
        setpoint, share = orders.setpoint_kw, orders.balance_kw
        # A running set stays on below its threshold, and during its minimum running time even
        # below its minimum load, because repeated starts wear it out.
        stays = self._closed & ((share >= self._min_load) | (self._run < self._min_run))
        follow = self._follows & (((share >= self._threshold) & (share > 0.0)) | stays)
        own = np.where(follow, np.maximum(share, self._min_load), 0.0)
        ordered = np.where(setpoint > 0.0, np.maximum(setpoint, self._min_load), 0.0)
        target = np.minimum(np.where(np.isnan(setpoint), own, ordered), self._rated)
        if orders.max_kw is not None:
            # A set that is limited to less than its minimum load cannot run.
            stops = orders.max_kw < self._min_load
            target = np.where(stops, 0.0, np.minimum(target, orders.max_kw))
        return target

    def _advance(
        self, target: Floats, called: NDArray[np.bool_], dt_s: float
    ) -> tuple[Floats, Floats]:
        """Return the mean power over the tick, and the seconds of it with the engine on load."""
        waits = called & ~self._closed
        waited = np.where(waits, np.minimum(self._wait, dt_s), 0.0)
        self._wait = np.where(waits, self._wait - waited, self._delay)
        closed = self._closed | (waits & (self._wait <= 0.0))
        on_load = np.where(closed, dt_s - waited, 0.0)
        end, energy = physics.ramp(self._power, target, self._rate, on_load)
        # The breaker opens when an engine without a call has unloaded.
        opens = closed & ~called & (end <= 0.0)
        unloading = np.minimum(self._power / self._rate, dt_s)
        on_load = np.where(opens, unloading, on_load)
        self._power = np.where(closed, end, 0.0)
        self._closed = closed & ~opens
        self._run = np.where(self._closed, self._run + on_load, 0.0)
        # Cap at the nameplate: rounding of the quotient could exceed it in the last bit.
        return np.minimum(energy / dt_s, self._rated), on_load
