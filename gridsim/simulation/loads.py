"""The loads of the sites, each wrapped so that an error names its plugin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from gridsim.api import Floats, Load, State, Tick
from gridsim.simulation.boundary import checked
from gridsim.simulation.calling import Call, named
from gridsim.simulation.scenario import LoadSpec

_Get: TypeAlias = Callable[[Load], tuple[Floats, object]]
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

    def state(self) -> State:
        """Return what a checkpoint keeps. Raises StateError."""
        names = (f"the load {spec.name!r}" for spec in self._specs)
        return {"loads": [named(*one) for one in zip(names, self._loads, strict=True)]}

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        for load, one in zip(self._loads, state["loads"], strict=True):
            load.restore(one)

    def at(self, tick: Tick, call: Call) -> Floats:
        """Return the gross load over the tick: float64[sites], kW, 0 for sites without a load."""
        return self._per_site("load", lambda load: (load.at(tick), load.at), call)

    def expected(self, time_ms: int, call: Call) -> Floats:
        """Return the expected gross load at UTC `time_ms`, in the same form."""
        return self._per_site(
            "expectation", lambda load: (load.expected(time_ms), load.expected), call
        )

    def _per_site(self, value: str, get: _Get, call: Call) -> Floats:
        result = np.zeros(self._sites)
        for load, spec in zip(self._loads, self._specs, strict=True):
            name = f"the load {spec.name!r}"
            ids = spec.members.ids
            result[spec.members.site] = call(name, partial(_checked, name, value, get, load, ids))
        return result


def _checked(name: str, value: str, get: _Get, load: Load, ids: Sequence[str]) -> Floats:
    values, method = get(load)
    return checked(name, value, values, ids, each="site", least=0.0, by=method)
