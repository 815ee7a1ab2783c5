"""The fleets of a simulation, each wrapped so that an error names its plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Capability, Fleet, Floats, Orders, State, Telemetry, Tick
from gridsim.contracts.blocks import has_block
from gridsim.contracts.device import DeviceFleet
from gridsim.contracts.results import Clipped
from gridsim.errors import PluginError, failure, place_of
from gridsim.simulation.blocks import LookAhead
from gridsim.simulation.boundary import checked, outside, shown
from gridsim.simulation.calling import named
from gridsim.simulation.clipping import Clipping
from gridsim.simulation.scenario import FleetSpec
from gridsim.simulation.weather import SiteWeather

_CAPABILITY: Final = ("min_kw", "max_kw", "preferred_kw")


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
        self.title = f"the DER type {spec.name!r}"
        rated = spec.members.columns["nameplate_capacity"]
        self.clipping = Clipping(self.title, rated.copy(), self.ids)
        self.keys = spec.members.keys
        self.rated = spec.members.columns["nameplate_capacity"]
        self.flexible = spec.stage == "flexible"
        blocks = not self.flexible and has_block(spec.type, Fleet, "step")
        self._ahead: LookAhead[Telemetry | None] = LookAhead(len(self.device), blocks=blocks)
        own = None if ghosts is None else ghosts[spec.device]
        self._ghosts = own if own is not None and own.any() else None
        try:
            self.fleet: Fleet = spec.type(spec.members)
            balances = self.fleet.balances()
            self.steps_last = balances is not None
            self.stores, self.consumes = spec.type.stores, spec.type.consumes
            self.balances = self._mask(balances)
            self.excludes = self._excluded(spec) if self.steps_last else {}
            """The balancing devices by the DER types that they exclude, bool[n] for each set."""
            self.steps_alone = self.consumes and not self.steps_last
            """True if a tick without orders does not need the fleet's capability."""
            self._columns = spec.members.wanted.union(spec.type.columns)
        except BaseException as error:
            raise self._failed("during creation", error) from error

    def state(self) -> State:
        """Return what a checkpoint keeps of the fleet. Raises StateError, naming the plugin."""
        return named(self.title, self.fleet)

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        self.fleet.restore(state)
        self._ahead.forget()

    def ahead(self, tick: int, weather: SiteWeather) -> Telemetry | None:
        """Return the telemetry of a tick without orders from a block; None: the fleet must step.

        `weather` knows the ticks to come. Raises PluginError.
        """
        known = weather.known_from(tick)
        if self._ahead.most == 1 or not known:
            return None
        return self._ahead.at(tick, partial(self._make, weather), limit=known)

    def _make(self, weather: SiteWeather, tick: int, length: int) -> Sequence[Telemetry | None]:
        """Return the telemetry of each tick of a block; None where the fleet must step instead.

        It steps if a value is beyond its bounds, because such values are clipped and counted in
        their own tick.
        """
        try:
            found = self.fleet.block(weather.block(tick, length))
            if found is not None:
                self._check_type(self.fleet.block, found, Telemetry)
            if found is None or not self._holds(found, (length, len(self.device))):
                return [None] * length
            return [found.rows(row) for row in range(length)]
        except BaseException as error:
            raise self._failed(f"at tick {tick}", error) from error

    def _holds(self, block: Telemetry, shape: tuple[int, int]) -> bool:
        """Return true if a block has the right shape, and no value is beyond its bounds."""
        if not isinstance(block.extra, Mapping) or not self._columns.issuperset(block.extra):
            return False
        further = [block.reactive_kvar, *block.extra.values()]
        for column in (block.current_output, block.current_soc, *further):
            if column is not None and (
                type(column) is not np.ndarray
                or column.dtype != np.float64
                or column.shape != shape
            ):
                return False
        return self.clipping.holds(block.current_output, block.current_soc) and not any(
            column is not None and outside(column, gaps=True).any() for column in further
        )

    def capability(self, tick: Tick) -> Capability:
        try:
            able = self.fleet.capability(tick)
            self._check_type(self.fleet.capability, able, Capability)
            low, high = able.min_kw, able.max_kw
            if not self.clipping.holds_draw(low):
                low = self._power("min_kw", low)
                self._check_side("min_kw", low, low > 0.0, "at most 0")
            if not self.clipping.holds_feed(high):
                high = self._power("max_kw", high)
                self._check_side("max_kw", high, high < 0.0, "at least 0")
            preferred = self._within("preferred_kw", able.preferred_kw, low, high)
            return Capability(self.real(low), self.real(high), preferred)
        except BaseException as error:
            raise self._failed(f"at tick {tick.index}", error) from error

    def step(self, tick: Tick, orders: Orders) -> Telemetry:
        # Orders may change what the fleet does in the ticks to come.
        self._ahead.forget()
        try:
            telemetry = self.fleet.step(tick, self._without_ghosts(orders))
            self._check_type(self.fleet.step, telemetry, Telemetry)
            if not isinstance(telemetry.extra, Mapping):
                raise PluginError(
                    f"{self.title} returned {shown(telemetry.extra)} as the further columns "
                    f"instead of a mapping{place_of(self.fleet.step)}"
                )
            soc, reactive = telemetry.current_soc, telemetry.reactive_kvar
            if soc is not None:
                soc = self._soc(soc)
            if reactive is not None:
                reactive = self._column("reactive_kvar", reactive, gaps=True)
            return Telemetry(
                self._power("current_output", telemetry.current_output),
                soc,
                {name: self._extra(name, column) for name, column in telemetry.extra.items()},
                reactive,
            )
        except BaseException as error:
            raise self._failed(f"at tick {tick.index}", error) from error

    def take_clipped(self) -> tuple[Clipped, ...]:
        """Return the columns that were clipped for the first time since the last call."""
        return self.clipping.take()

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
                f"{self.title} reports {name!r} but does not declare it{place_of(self.fleet.step)}"
            )
        return self._column(name, column, gaps=True)

    def _power(self, name: str, column: Floats) -> Floats:
        if self.clipping.holds_power(column):
            return column
        return self.clipping.power(name, self._column(name, column))

    def _within(self, name: str, column: Floats | None, low: Floats, high: Floats) -> Floats | None:
        if column is None:
            return None
        return self.real(self.clipping.within(name, self._power(name, column), low, high))

    def _soc(self, column: Floats) -> Floats:
        if self.clipping.holds_soc(column):
            return column
        return self.clipping.soc(self._column("current_soc", column, gaps=True))

    def _check_side(self, name: str, values: Floats, wrong: NDArray[np.bool_], right: str) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            raise PluginError(
                f"{self.title} returned {name} = {values[row]:g} for {self.ids[row]}: it must be "
                f"{right}{place_of(self._method('capability'))}"
            )

    def _check_type(
        self, method: Callable[..., object], value: object, expected: type[object]
    ) -> None:
        if not isinstance(value, expected):
            raise PluginError(
                f"{self.title} returned {shown(value)} from {method.__name__}() instead of a "
                f"{expected.__name__}{place_of(method)}"
            )

    def _column(self, name: str, column: Floats, *, gaps: bool = False) -> Floats:
        by = self._method("capability" if name in _CAPABILITY else "step")
        return checked(self.title, name, column, self.ids, gaps=gaps, by=by)

    def _method(self, name: str) -> object:
        """Return the method of the plugin's own class, for its place in errors."""
        own = self.fleet.device if isinstance(self.fleet, DeviceFleet) else self.fleet
        return getattr(own, name)

    def _mask(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        if mask is None:
            return np.zeros(self.device.shape, np.bool_)
        values, place = np.asarray(mask), place_of(self.fleet.balances)
        if values.dtype != np.bool_:
            raise PluginError(
                f"{self.title} returned balances that is not boolean: {shown(mask)}{place}"
            )
        if values.shape != self.device.shape:
            raise PluginError(
                f"{self.title} returned balances of shape {values.shape} "
                f"for {len(self.device)} devices{place}"
            )
        return values

    def _excluded(self, spec: FleetSpec) -> dict[frozenset[str], NDArray[np.bool_]]:
        members = spec.members
        sets = []
        for settings in members.settings:
            names = spec.type.excludes(settings)
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise PluginError(
                    f"{self.title} returned {shown(names)} from excludes() instead of the names of "
                    f"DER types{place_of(spec.type.excludes)}"
                )
            sets.append(frozenset(names))
        own = {sets[index] for index in np.unique(members.stanza).tolist()}
        which = {names: np.array([one == names for one in sets], np.bool_) for names in own}
        return {names: mask[members.stanza] for names, mask in which.items()}

    def _failed(self, when: str, error: BaseException) -> PluginError:
        return failure(self.title, error, f"failed {when}")
