"""The TOML tables of the core, and the settings that it adds to the tables of plugins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gridsim.api import Settings
from gridsim.config.tables import events, faults, stanzas
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.tables.model import (
    DerTableSettings,
    ProjectSettings,
    SimulationSettings,
    SiteSettings,
    TransportTableSettings,
)
from gridsim.plugins.kinds import KINDS


@dataclass(frozen=True, slots=True)
class CoreTable:
    """The settings of the core in one TOML table."""

    settings: type[Settings]
    spread: Collection[str] = ()
    """The settings that may be distributions."""
    is_array: bool = False
    """Whether the table is an array of tables."""
    required: bool = False
    """Whether the configuration must have the table."""


TABLES: Final[Mapping[str, CoreTable]] = {
    "simulation": CoreTable(SimulationSettings),
    "site": CoreTable(SiteSettings, stanzas.PLACE),
    "projects": CoreTable(ProjectSettings, stanzas.SPREAD, is_array=True, required=True),
    "projects.ders": CoreTable(DerTableSettings),
    "transports": CoreTable(TransportTableSettings),
    "events": CoreTable(events.Event, events.SPREAD, is_array=True),
    "faults": CoreTable(faults.FaultSettings, faults.SPREAD),
    "ledger": CoreTable(LedgerSettings),
}
"""The settings by the dotted path of their table.

Where the table is that of a kind of plugin, the core adds them to each plugin's own.
"""
TOP_LEVEL: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        path
        for path in (*TABLES, *(kind.table for kind in KINDS.values()))
        if path is not None and "." not in path
    )
)
"""The tables that a configuration may have."""
