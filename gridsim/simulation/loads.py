"""The loads of the sites, each wrapped so that an error names its plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from gridsim.api import Floats, Load, State, Tick, TickBlock
from gridsim.contracts.blocks import has_block
from gridsim.errors import PluginError, place_of
from gridsim.simulation.batch import read_only
from gridsim.simulation.blocks import LookAhead
from gridsim.simulation.boundary import LARGEST, all_within, checked, shown
from gridsim.simulation.calling import Call, named
from gridsim.simulation.scenario import LoadSpec
from gridsim.simulation.weather import SiteWeather

_Get: TypeAlias = Callable[[Load], tuple[Any, object]]
"""A function that calls a method of a load, and returns its result and the method."""


class SiteLoads:
    """Load plugins and the sites that each serves; every error is a PluginError."""

    def __init__(self, specs: Sequence[LoadSpec], sites: int, call: Call) -> None:
        """Create the loads; `sites` is the number of all sites, with or without a load."""
        self._specs = specs
        self._sites = sites
        self._loads: list[Load] = [
            call(f"the load {spec.name!r}", partial(spec.type, spec.members)) for spec in specs
        ]
        self._single = [load for load in self._loads if not has_block(type(load), Load, "at")]
        """The loads that compute one tick at a time."""
        blocks = len(self._single) < len(self._loads)
        self._ahead: LookAhead[Floats] = LookAhead(sites, blocks=blocks)

    def state(self) -> State:
        """Return what a checkpoint keeps. Raises StateError."""
        names = (f"the load {spec.name!r}" for spec in self._specs)
        return {"loads": [named(*one) for one in zip(names, self._loads, strict=True)]}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        for load, one in zip(self._loads, state["loads"], strict=True):
            load.restore(one)
        self._ahead.forget()

    def at(self, tick: Tick, call: Call, weather: SiteWeather | None = None) -> Floats:
        """Return the gross load over the tick: float64[sites], kW, 0 for sites without a load.

        `weather` knows the ticks to come, for loads that compute several at once.
        """

        def get(load: Load) -> tuple[Any, object]:
            return load.at(tick), load.at

        known = 0 if weather is None else weather.known_from(tick.index)
        if weather is None or not known or self._ahead.most == 1:
            return self._per_site("load", get, call, np.zeros(self._sites), self._loads)
        found = self._ahead.at(tick.index, partial(self._make, weather, call), limit=known)
        if not self._single:
            return found
        return self._per_site("load", get, call, found.copy(), self._single)

    def expected(self, time_ms: int, call: Call) -> Floats:
        """Return the expected gross load at UTC `time_ms`, in the same form."""

        def get(load: Load) -> tuple[Any, object]:
            return load.expected(time_ms), load.expected

        return self._per_site("expectation", get, call, np.zeros(self._sites), self._loads)

    def _per_site(
        self, value: str, get: _Get, call: Call, result: Floats, loads: Sequence[Load]
    ) -> Floats:
        """Write the values of some loads to `result`, and return it."""
        for load, spec in zip(self._loads, self._specs, strict=True):
            if load in loads:
                name = f"the load {spec.name!r}"
                ids = spec.members.ids
                do = partial(_checked, name, value, get, load, ids)
                result[spec.members.site] = call(name, do)
        return result

    def _make(self, weather: SiteWeather, call: Call, tick: int, length: int) -> list[Floats]:
        """Return the gross load of the sites whose loads have blocks, for some ticks."""
        ticks = weather.block(tick, length)
        result = np.zeros((length, self._sites))
        for load, spec in zip(self._loads, self._specs, strict=True):
            if load not in self._single:
                name = f"the load {spec.name!r}"
                do = partial(_checked_block, name, load, ticks, spec.members.ids)
                result[:, spec.members.site] = call(name, do)
        return list(read_only(result))


def _checked(name: str, value: str, get: _Get, load: Load, ids: Sequence[str]) -> Floats:
    values, method = get(load)
    return checked(name, value, values, ids, each="site", least=0.0, by=method)


def _checked_block(name: str, load: Load, ticks: TickBlock, ids: Sequence[str]) -> Floats:
    values: Any = load.block(ticks)
    shape = len(ticks), len(ids)
    if type(values) is np.ndarray and values.dtype == np.float64 and values.shape == shape:
        if all_within(values, 0.0, LARGEST):
            return values
    elif not np.ndim(values) or len(values) != len(ticks):
        raise PluginError(
            f"{name} returned the load of a block of {len(ticks)} ticks as {shown(values)}: it "
            f"must be an array with a row for each tick{place_of(load.block)}"
        )
    # Find the error, if it is one.
    rows = [
        checked(name, "load", row, ids, each="site", least=0.0, by=load.block) for row in values
    ]
    return np.stack(rows)
