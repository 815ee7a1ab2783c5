"""The TOML tables of the core, and the settings that it adds to the tables of plugins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gridsim.api import Settings
from gridsim.config.tables import events, faults, stanzas
from gridsim.config.tables.checkpoint import CheckpointSettings
from gridsim.config.tables.defaults import TABLE as DEFAULTS
from gridsim.config.tables.execution import ExecutionSettings
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.tables.projects import DerTableSettings, ProjectSettings
from gridsim.config.tables.simulation import SimulationSettings
from gridsim.config.tables.site import SiteSettings
from gridsim.config.tables.transports import TransportTableSettings
from gridsim.plugins.kinds import KINDS


@dataclass(frozen=True, slots=True)
class CoreTable:
    """The settings of the core in one TOML table."""

    settings: type[Settings]
    description: str
    spread: Collection[str] = ()
    """The settings that may be distributions."""
    is_array: bool = False
    """True if the table is an array of tables."""
    required: bool = False
    """True if the configuration must have the table."""


TABLES: Final[Mapping[str, CoreTable]] = {
    "simulation": CoreTable(SimulationSettings, "time, seed, speed and plugins of the run"),
    "site": CoreTable(
        SiteSettings, "the location of projects that do not have their own", stanzas.PLACE
    ),
    "projects": CoreTable(
        ProjectSettings,
        "sites behind one meter, each with one or more DERs",
        stanzas.SPREAD,
        is_array=True,
        required=True,
    ),
    "projects.ders": CoreTable(DerTableSettings, "the DERs of a project"),
    "transports": CoreTable(TransportTableSettings, "the destinations of readings"),
    "events": CoreTable(
        events.Event, "demand-response events, and limits", events.SPREAD, is_array=True
    ),
    "faults": CoreTable(
        faults.FaultSettings, "injected faults: their type, devices and times", faults.SPREAD
    ),
    "ledger": CoreTable(LedgerSettings, "the file with the true values of the run"),
    "checkpoint": CoreTable(
        CheckpointSettings, "the checkpoints from which a run that was killed is continued"
    ),
    "execution": CoreTable(
        ExecutionSettings, "the processes and machines that simulate the run, and their clock"
    ),
}
"""The settings by the dotted path of their table.

In the table of a plugin kind they are added to the settings of each plugin.
"""
TOP_LEVEL: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        path
        for path in (*TABLES, *(kind.table for kind in KINDS.values()), DEFAULTS)
        if path is not None and "." not in path
    )
)
"""The tables that a configuration may have."""
OF_SCENARIOS: Final = ("events", "faults")
"""The tables allowed in the files that `simulation.scenarios` names."""
