"""The columns of tables of readings: their units, and those that are constant for a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.simulation.batch import rounded
from gridsim.simulation.scenario import Scenario
from gridsim.simulator.column import TableColumn
from gridsim.simulator.table import unknown_column

SEQUENCE: Final = "seq"
"""The index of the tick; a table has it only on request."""
ORDER: Final = (
    "timestamp",
    "project_id",
    "der_id",
    "type",
    "is_online",
    "current_output",
    "power_meter_measurement",
    "baseline",
    "contract_threshold",
    "current_soc",
    "is_standalone",
    "connection_start_at",
    "nameplate_capacity",
)
"""The fields of the record, the times and ids first. `units` is missing; see
`ColumnTable.units`.
"""
UNITS: Final = {
    "current_output": "kW",
    "power_meter_measurement": "kW",
    "baseline": "kW",
    "contract_threshold": "kW",
    "current_soc": "%",
    "nameplate_capacity": "kW",
}
_CONSTANT: Final = (
    "project_id",
    "der_id",
    "type",
    "contract_threshold",
    "is_standalone",
    "nameplate_capacity",
)

Codes = NDArray[np.int32]


class FleetColumns:
    """The columns of the readings of a scenario, and their data that do not change."""

    def __init__(self, scenario: Scenario) -> None:
        roster = scenario.roster
        types = sorted(set(roster.type))
        project = roster.project.astype(np.int32)
        self._constant = {
            "project_id": ("category", project, roster.project_id),
            "der_id": ("category", np.arange(len(roster), dtype=np.int32), roster.der_id),
            "type": ("category", _codes(roster.type, types), types),
            "contract_threshold": ("number", rounded(scenario.contract_threshold, 2)[project], ()),
            "is_standalone": ("boolean", roster.is_standalone[project], ()),
            "nameplate_capacity": ("number", roster.nameplate_capacity, ()),
        }
        self.units = {**UNITS, **roster.columns}
        self.extra = tuple(roster.columns)
        """The further columns that types of DERs declare."""

    def choose(self, names: Sequence[str] | None) -> tuple[str, ...]:
        """Return the columns to keep, checked; None: all but `seq`. Raises ValueError."""
        default = (*ORDER, *self.extra)
        if names is None:
            return default
        if isinstance(names, str):
            raise ValueError(f"columns must be a list of names, such as [{names!r}]")
        known = (*default, SEQUENCE)
        chosen = tuple(names)
        for name in chosen:
            if name not in known:
                raise ValueError(unknown_column(name, known))
        if len(set(chosen)) < len(chosen):
            twice = next(name for name in chosen if chosen.count(name) > 1)
            raise ValueError(f"columns has {twice!r} twice")
        if not chosen:
            raise ValueError("columns is empty: name at least one, or leave it out for all")
        return chosen

    def changing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that differ from tick to tick."""
        return tuple(name for name in names if name not in _CONSTANT)

    def constant(self, name: str, device: Codes) -> TableColumn:
        """Return a column whose value depends only on the device of each row."""
        kind, values, categories = self._constant[name]
        unit = self.units.get(name, "")
        return TableColumn(name, kind, values, unit, device, categories)  # type: ignore[arg-type]

    def table(
        self, names: Sequence[str], device: Codes, data: dict[str, NDArray[Any]]
    ) -> list[TableColumn]:
        """Return the columns of a table; `data` has the columns that differ from tick to tick."""
        columns = []
        for name in names:
            if name in _CONSTANT:
                columns.append(self.constant(name, device))
                continue
            values = data[name]
            values.flags.writeable = False
            columns.append(TableColumn(name, kind_of(name), values, self.units.get(name, "")))
        return columns


def kind_of(name: str) -> Any:
    """Return the kind of a column that differs from tick to tick."""
    if name in ("timestamp", "connection_start_at"):
        return "time"
    if name == SEQUENCE:
        return "integer"
    return "boolean" if name in ("is_online", "is_faulty") else "number"


def _codes(texts: Sequence[str], categories: Sequence[str]) -> Codes:
    place = {text: code for code, text in enumerate(categories)}
    return np.array([place[text] for text in texts], np.int32)
