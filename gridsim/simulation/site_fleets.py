"""All fleets of the sites, and their step in a tick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Orders, State, Tick
from gridsim.contracts.measurands import LOWER, MEASURANDS, SETPOINT, UPPER
from gridsim.contracts.results import Clipped
from gridsim.errors import PluginError
from gridsim.simulation.batch import missing_column
from gridsim.simulation.calling import Call
from gridsim.simulation.demand_response.shortfall import Ability, ability
from gridsim.simulation.dispatch.dispatch import dispatch, no_orders, orders_for
from gridsim.simulation.dispatch.orders import DeviceOrders, SiteOrders
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.scenario import FleetSpec, Scenario
from gridsim.simulation.weather import SiteWeather

T = TypeVar("T")

OnFailure: TypeAlias = Callable[[FleetSpec | RunningFleet, PluginError], None]
"""A function that raises the error of a fleet's plugin, or returns if the run continues."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetOutputs:
    """The result of all fleets in a tick, with an entry per device."""

    power: Floats
    """kW"""
    soc: Floats
    """%, NaN without storage."""
    extra: Mapping[str, Floats]
    """The further columns."""
    reactive: Floats | None
    """kvar, NaN where a DER type does not report it; None: no type does."""


class SiteFleets:
    """The fleets that have not failed so far."""

    def __init__(
        self,
        scenario: Scenario,
        ghosts: NDArray[np.bool_] | None,
        call: Call,
        on_failure: OnFailure,
    ) -> None:
        """Create the fleets. `ghosts` marks the devices that do not exist."""
        self._scenario = scenario
        self._call, self._on_failure = call, on_failure
        columns = scenario.roster.columns
        self._declared = [name for name in columns if name not in scenario.measurands]
        """The further columns that DER types declare."""
        wanted = {SETPOINT, LOWER, UPPER}.intersection(self._declared)
        self._ordered = [name for name in wanted if MEASURANDS[name].unit == columns[name]]
        """The measurands of orders that the run wants."""
        self.running: list[RunningFleet] = []
        for number, spec in enumerate(scenario.fleets):
            try:
                make = partial(RunningFleet, number, spec, ghosts)
                self.running.append(call(f"the DER type {spec.name!r}", make))
            except PluginError as error:
                on_failure(spec, error)
        self._excluded = sorted(
            {name for fleet in self.running for names in fleet.excludes for name in names}
        )
        """The DER types whose output a device does not balance."""
        # Over all fleets, including those that are disabled later.
        self._clippings = [(fleet.name, fleet.clipping) for fleet in self.running]

    @property
    def clipped(self) -> dict[str, int]:
        """The number of values beyond the bounds of devices so far, by DER type and column."""
        totals: Counter[str] = Counter()
        for name, clipping in self._clippings:
            totals.update({f"{name} {column}": n for column, n in [*clipping.totals.items()]})
        return dict(totals)

    def take_clipped(self) -> tuple[Clipped, ...]:
        """Return the columns that were clipped for the first time since the last call."""
        return tuple(one for fleet in self.running for one in fleet.take_clipped())

    def state(self) -> State:
        """Return what a checkpoint keeps. Raises StateError, naming the plugin."""
        return {str(one.number): one.state() for one in self.running}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state, without the fleets that had failed."""
        fleets = dict(state)
        self.running = [one for one in self.running if str(one.number) in fleets]
        for fleet in self.running:
            fleet.restore(fleets[str(fleet.number)])

    def copied(self, running: list[RunningFleet], on_failure: OnFailure) -> SiteFleets:
        """Return a copy that steps these copies of the fleets."""
        copy = object.__new__(SiteFleets)
        vars(copy).update(vars(self))
        copy.running, copy._on_failure = running, on_failure
        return copy

    def step(
        self,
        tick: Tick,
        meter: Floats,
        devices: DeviceOrders | None,
        sites: SiteOrders | None,
        commanded: SiteOrders | None,
        *,
        judge: bool,
        weather: SiteWeather | None = None,
    ) -> tuple[FleetOutputs, Ability | None]:
        """Step all fleets; `meter` is per site, kW.

        `commanded` are the orders of sites that come from commands. With `judge` also return what
        the sites are able to do in an event. `weather` knows the ticks to come, for fleets without
        orders that compute several at once.
        """
        n = len(self._scenario.roster)
        power, soc = np.zeros(n), np.full(n, np.nan)
        extra: dict[str, Floats] = {}
        reactive: list[Floats] = []
        net = meter.copy()
        outputs = {name: np.zeros(len(net)) for name in self._excluded}
        # A back end judges by the reported values; only a target needs them.
        reported = None
        if sites is not None and not np.isnan(sites.net_kw).all():
            reported = np.rint(meter * 100.0) / 100.0

        def step(fleet: RunningFleet, orders: Orders | None) -> None:
            telemetry = None
            if orders is None:
                telemetry = fleet.ahead(tick.index, weather) if weather is not None else None
                orders = no_orders(len(fleet.device))
            if telemetry is None:
                telemetry = fleet.step(tick, orders)
            power[fleet.device] = telemetry.current_output
            if telemetry.current_soc is not None:
                soc[fleet.device] = telemetry.current_soc
            if telemetry.reactive_kvar is not None:
                if not reactive:
                    reactive.append(np.full(n, np.nan))
                reactive[0][fleet.device] = telemetry.reactive_kvar
            ordered = {name: _ordered(name, orders) for name in self._ordered}
            for name, column in {**ordered, **telemetry.extra}.items():
                if column is not None:
                    if name not in extra:
                        extra[name] = np.full(n, np.nan)
                    extra[name][fleet.device] = column
            output = fleet.real(telemetry.current_output)
            of_sites = np.bincount(fleet.site, output, len(net))
            np.subtract(net, of_sites, out=net)
            if fleet.name in outputs:
                np.add(outputs[fleet.name], of_sites, out=outputs[fleet.name])
            if reported is not None:
                shown = np.bincount(fleet.site, np.rint(output * 100.0), len(net)) / 100.0
                np.subtract(reported, shown, out=reported)

        for fleet in [fleet for fleet in self.running if not fleet.flexible]:
            orders = None if devices is None else orders_for(fleet, devices)
            self._guard(fleet, partial(step, fleet, orders))
        able = []
        flexible = [fleet for fleet in self.running if fleet.flexible]
        if devices is None and sites is None and not judge:
            for fleet in [fleet for fleet in flexible if fleet.steps_alone]:
                self._guard(fleet, partial(step, fleet, no_orders(len(fleet.device))))
            flexible = [fleet for fleet in flexible if not fleet.steps_alone]
        for fleet in flexible:
            own = self._guard(fleet, partial(fleet.capability, tick))
            if own is not None:
                able.append((fleet, own))
        possible = ability(net, able, devices, sites, commanded) if judge else None
        for round_orders in dispatch(net, able, devices, sites, reported, outputs):
            for fleet, orders in round_orders:
                self._guard(fleet, partial(step, fleet, orders))
        further = {name: extra.get(name, missing_column(n)) for name in self._declared}
        return FleetOutputs(power, soc, further, reactive[0] if reactive else None), possible

    def _guard(self, fleet: RunningFleet, do: Callable[[], T]) -> T | None:
        """Return the result of `do`; if the fleet's plugin fails, end the run or leave out the
        fleet.
        """
        try:
            return self._call(fleet.title, do)
        except PluginError as error:
            self._on_failure(fleet, error)
            self.running.remove(fleet)
            return None


def _ordered(name: str, orders: Orders) -> Floats | None:
    """Return a measurand of the orders, float64[n], kW, NaN where there is none; None: nowhere."""
    if name == SETPOINT:
        return None if np.isnan(orders.setpoint_kw).all() else orders.setpoint_kw
    column = orders.min_kw if name == LOWER else orders.max_kw
    return None if column is None else np.where(np.isinf(column), np.nan, column)
