"""The fleets of a simulation, each wrapped so that an error names its plugin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Fleet, Floats, Orders, State, Telemetry, Tick
from gridsim.errors import PluginError
from gridsim.simulation.boundary import checked
from gridsim.simulation.calling import named
from gridsim.simulation.scenario import FleetSpec


class RunningFleet:
    """One fleet with the checks on what it returns; every error is a PluginError."""

    def __init__(
        self, number: int, spec: FleetSpec, ghosts: NDArray[np.bool_] | None = None
    ) -> None:
        """Create the fleet of a spec, whose index in the scenario is `number`.

        `ghosts` marks the devices of the roster that do not exist. They step, because they may
        report, but their capability is zero and they get no orders.
        """
        self.number = number
        self.name = spec.name
        self.device = spec.device
        self.site = spec.members.site
        self.ids = spec.members.ids
        self.keys = spec.members.keys
        self.rated = spec.members.columns["nameplate_capacity"]
        self.flexible = spec.stage == "flexible"
        own = None if ghosts is None else ghosts[spec.device]
        self._ghosts = own if own is not None and own.any() else None
        try:
            self.fleet: Fleet = spec.type(spec.members)
            balances = self.fleet.balances()
            self.steps_last = balances is not None
            self.stores = spec.type.stores
            self.balances = self._mask(balances)
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed("during creation", error) from error
        self._columns = frozenset(spec.type.columns)

    def state(self) -> State:
        """Return what a checkpoint keeps of the fleet. Raises StateError, naming the plugin."""
        return named(f"the DER type {self.name!r}", self.fleet)

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        self.fleet.restore(state)

    def capability(self, tick: Tick) -> Capability:
        try:
            able = self.fleet.capability(tick)
            preferred = able.preferred_kw
            return Capability(
                self.real(self._column("min_kw", able.min_kw)),
                self.real(self._column("max_kw", able.max_kw)),
                None if preferred is None else self.real(self._column("preferred_kw", preferred)),
            )
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed(f"at tick {tick.index}", error) from error

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        try:
            telemetry = self.fleet.step(tick, self._without_ghosts(orders))
            soc = telemetry.current_soc
            return Telemetry(
                self._column("current_output", telemetry.current_output),
                None if soc is None else self._column("current_soc", soc, gaps=True),
                {name: self._extra(name, column) for name, column in telemetry.extra.items()},
            )
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed(f"at tick {tick.index}", error) from error

    def real(self, power: Floats) -> Floats:
        """Return `power`, float64[n], kW, with zero for devices that do not exist."""
        return power if self._ghosts is None else np.where(self._ghosts, 0.0, power)

    def _without_ghosts(self, orders: Orders) -> Orders:
        """Return the orders without those for devices that do not exist."""
        if self._ghosts is None:
            return orders
        low, high = orders.min_kw, orders.max_kw
        return Orders(
            np.where(self._ghosts, np.nan, orders.setpoint_kw),
            self.real(orders.balance_kw),
            None if low is None else np.where(self._ghosts, -np.inf, low),
            None if high is None else np.where(self._ghosts, np.inf, high),
        )

    def _extra(self, name: str, column: Floats) -> Floats:
        if name not in self._columns:
            raise PluginError(
                f"the DER type {self.name!r} reports {name!r} but does not declare it"
            )
        return self._column(name, column, gaps=True)

    def _column(self, name: str, column: Floats, *, gaps: bool = False) -> Floats:
        return checked(f"the DER type {self.name!r}", name, column, self.ids, gaps=gaps)

    def _mask(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        if mask is None:
            return np.zeros(self.device.shape, np.bool_)
        values = np.asarray(mask, np.bool_)
        if values.shape != self.device.shape:
            raise PluginError(
                f"the DER type {self.name!r} returned balances of shape {values.shape} "
                f"for {len(self.device)} devices"
            )
        return values

    def _failed(self, when: str, error: BaseException) -> PluginError:
        return PluginError(
            f"the DER type {self.name!r} failed {when}: {type(error).__name__}: {error}"
        )
