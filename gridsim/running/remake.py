"""The plan of a run after a reload of its configuration: all checked, nothing changed yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np

from gridsim.config.configuration import Configuration
from gridsim.config.tables.simulation import SimulationSettings
from gridsim.config.text.document import Document
from gridsim.config.text.report import ConfigError, Problem
from gridsim.contracts.batch_serial import roster_fingerprint
from gridsim.errors import UsageError
from gridsim.ledger import check_reload
from gridsim.simulation.reload.compare import ScenarioChanges
from gridsim.simulation.scenario import Scenario

if TYPE_CHECKING:
    from gridsim.running.plan import Plan

_FREE: Final = ("speed", "on_error", "measurands", "plugins", "scenarios")
"""The settings of `[simulation]` that a reload may change."""
_RESTART: Final = "cannot be changed by a reload: restart the run"


def refuse_fixed(document: Document, older: Configuration, new: Configuration) -> None:
    """Raise ConfigError if settings differ that a reload cannot change."""
    problems = [*_fixed(document, older.simulation, new.simulation)]
    if not problems and older.start_ms != new.start_ms:
        # A local time, in another time zone.
        problems.append(document.problem(("simulation", "start"), f"'start' {_RESTART}"))
    if older.ledger != new.ledger:
        path = ("ledger",) if "ledger" in document.data else ()
        problems.append(document.problem(path, f"[ledger] {_RESTART}"))
    if older.checkpoint != new.checkpoint:
        path = ("checkpoint",) if "checkpoint" in document.data else ()
        problems.append(document.problem(path, f"[checkpoint] {_RESTART}"))
    if older.execution != new.execution:
        path = ("execution",) if "execution" in document.data else ()
        problems.append(document.problem(path, f"[execution] {_RESTART}"))
    if problems:
        raise ConfigError(problems)


def check_kept(older: Plan, new: Plan) -> None:
    """Raise UsageError if what a run keeps on disk does not permit a change of the new plan."""
    before = {one.name: one for one in older.configuration.transports}
    after = {one.name: one for one in new.configuration.transports}
    planned = {one.name: one for one in (*older.transports, *new.transports)}
    differ = [
        name
        for name in planned
        if name not in before or name not in after or not same_choice(before[name], after[name])
    ]
    for name in differ:
        if planned[name].spool is not None:
            raise UsageError(f"transport {name} has a spool, so that it {_RESTART}")
    if older.checkpoint is not None and [*before] != [*after]:
        raise UsageError(
            "with [checkpoint], a reload cannot add or remove transports: restart the run"
        )
    if older.ledger is not None and new.about is not None:
        check_reload(older.ledger.path, new.about)


def has_other_devices(older: Scenario, new: Scenario) -> bool:
    """Return whether a consumer of readings sees other devices, or other constants of them."""
    return not (
        ScenarioChanges.between(older, new).none
        and roster_fingerprint(older.roster) == roster_fingerprint(new.roster)
        and np.array_equal(older.contract_threshold, new.contract_threshold)
        and np.array_equal(older.report_every_ticks, new.report_every_ticks)
        and older.report_on_change.keys() == new.report_on_change.keys()
        and all(
            np.array_equal(column, new.report_on_change[name], equal_nan=True)
            for name, column in older.report_on_change.items()
        )
    )


def same_choice(older: object, new: object) -> bool:
    """Return whether a table has stayed: of a transport, a source or a view."""
    if type(older) is not type(new):
        return False
    names = [one.name for one in fields(new) if one.name != "key_path"]  # type: ignore[arg-type]
    return all(getattr(older, name) == getattr(new, name) for name in names)


def _fixed(
    document: Document, older: SimulationSettings, new: SimulationSettings
) -> Iterator[Problem]:
    for name in SimulationSettings.model_fields:
        if name not in _FREE and getattr(older, name) != getattr(new, name):
            yield document.problem(("simulation", name), f"{name!r} {_RESTART}")
