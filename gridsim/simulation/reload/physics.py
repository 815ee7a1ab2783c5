"""The state of fleets, baselines and loads that stays in a reload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gridsim.api import Members, StateError, Staying, carry
from gridsim.errors import GridsimError
from gridsim.simulation.baselines.consumption import ExpectedConsumption
from gridsim.simulation.baselines.sites import Baselines
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.loads import SiteLoads
from gridsim.simulation.reload.compare import same_members, same_type
from gridsim.simulation.site_fleets import SiteFleets


def carry_fleets(new: SiteFleets, older: SiteFleets, devices: Staying) -> None:
    """Copy the state of the devices that stay. A fleet that failed restarts."""
    _carry_running(new.running, older.running, devices)
    before = {(one.name, one.flexible): one for one in older.running}
    for fleet in new.running:
        same = before.get((fleet.name, fleet.flexible))
        if same is not None:
            # What was clipped before is not reported again.
            fleet.clipping.totals = same.clipping.totals.copy()


def carry_baselines(new: Baselines, older: Baselines, devices: Staying, sites: Staying) -> None:
    """Copy the state of the baselines, for projects with the same settings."""
    for one in new._running:
        for same in older._running:
            if same._name == one._name and type(same._baseline) is type(one._baseline):
                staying = _of_sites(one._baseline.members, same._baseline.members, sites)
                _carry(one._name, one._baseline, same._baseline, staying)
    _carry_consumption(new._consumption, older._consumption, devices, sites)


def carry_loads(new: SiteLoads, older: SiteLoads, sites: Staying) -> None:
    """Copy the state of the loads, for projects with the same settings."""
    for spec, load in zip(new._specs, new._loads, strict=True):
        for before, same in zip(older._specs, older._loads, strict=True):
            if before.name == spec.name and type(same) is type(load):
                staying = _of_sites(spec.members, before.members, sites)
                _carry(f"the load {spec.name!r}", load, same, staying)
    new._ahead.forget()


def _carry_consumption(
    new: ExpectedConsumption, older: ExpectedConsumption, devices: Staying, sites: Staying
) -> None:
    if new._fleets is None or older._fleets is None:
        return
    _carry_running(new._fleets, older._fleets, devices)
    new._kw[sites.new] = older._kw[sites.old]


def _carry_running(
    new: Sequence[RunningFleet], older: Sequence[RunningFleet], devices: Staying
) -> None:
    before = {(one.name, one.flexible): one for one in older}
    for fleet in new:
        same = before.get((fleet.name, fleet.flexible))
        if same is not None and same_type(type(same.fleet), type(fleet.fleet)):
            staying = devices.within(fleet.device, same.device)
            _carry(fleet.title, fleet.fleet, same.fleet, staying)


def _of_sites(new: Members[Any], older: Members[Any], sites: Staying) -> Staying:
    """Return the members of a load or a baseline that stay with the same settings."""
    staying = sites.within(new.site, older.site)
    rows = np.full(len(new), -1, np.intp)
    rows[staying.new] = staying.old
    equal = same_members(older, new, rows)
    return Staying.of(np.where(equal, rows, -1), len(older))


def _carry(name: str, new: Any, older: Any, staying: Staying) -> None:
    """Copy the state of a plugin. Raises StateError, with its name."""
    if not len(staying.new):
        return
    try:
        carry(new, older, staying)
    except StateError as error:
        raise StateError(f"{name}: {error}") from error
    except GridsimError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise StateError(f"{name}: its state cannot be carried over: {text}") from error
