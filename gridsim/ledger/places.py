"""The numbers of projects and devices in a ledger, which a reload does not change."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Roster
from gridsim.errors import UsageError
from gridsim.ledger.about import About, device_rows, method_rows, project_rows
from gridsim.ledger.columns import Ints
from gridsim.ledger.reader import Reader

_NAMED = 3


class Places:
    """The number of each project and device that the run has had, by id.

    A device that a reload adds gets the next number. A batch of another roster than the first one
    has other indices.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection to a ledger whose tables are filled."""
        self._connection = connection
        self.project: dict[str, int] = self._read("project_id, project FROM projects")
        self.device: dict[str, int] = self._read("der_id, device FROM devices")
        self._rosters: list[tuple[Roster, Ints | None]] = []
        """The rosters so far with the number of each of their devices; None: their index."""

    def add(self, about: About) -> None:
        """Add the projects and devices that are new. A transaction is open."""
        for id, *columns in project_rows(about.scenario):
            if id not in self.project:
                self.project[id] = len(self.project)
                self._insert("projects", (self.project[id], id, *columns))
        known = {row[0] for row in self._connection.execute("SELECT project FROM baselines")}
        ids = about.scenario.roster.project_id
        for index, method in method_rows(about.scenario.baselines):
            if self.project[ids[index]] not in known:
                self._insert("baselines", (self.project[ids[index]], method))
        for id, project, type, nameplate in device_rows(about.scenario):
            if id not in self.device:
                self.device[id] = len(self.device)
                number = self.project[ids[project]]
                self._insert("devices", (self.device[id], id, number, type, nameplate))

    def of(self, roster: Roster, device: NDArray[np.intp]) -> Ints:
        """Return the numbers of devices that are given by their indices into a roster."""
        numbers = next((found for known, found in self._rosters if known is roster), False)
        if isinstance(numbers, bool):
            places = np.array([self.device[id] for id in roster.der_id], np.int64)
            numbers = None if (places == np.arange(len(places))).all() else places
            # Readings that faults held back have the roster of their reload, too.
            self._rosters = [*self._rosters[-3:], (roster, numbers)]
        return device if numbers is None else numbers[device]

    def _read(self, columns: str) -> dict[str, int]:
        return dict(self._connection.execute(f"SELECT {columns}").fetchall())

    def _insert(self, table: str, row: Sequence[Any]) -> None:
        places = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO {table} VALUES ({places})", row)


def check_reload(path: Path, about: About) -> None:
    """Raise UsageError if a ledger that is being written cannot describe a reloaded run.

    It has one row for each project and device, and for each transport.
    """
    with Reader(path) as reader:
        known = {
            id: tuple(row)
            for id, *row in reader.rows("SELECT project_id, standalone, threshold FROM projects")
        }
        devices = {
            id: tuple(row)
            for id, *row in reader.rows(
                "SELECT der_id, project_id, type, nameplate FROM devices JOIN projects "
                "USING (project)"
            )
        }
        methods = dict(
            reader.rows("SELECT project_id, method FROM baselines JOIN projects USING (project)")
        )
        transports = list(reader.transports())
    ids = about.scenario.roster.project_id
    differ = [
        id for id, *row in project_rows(about.scenario) if known.get(id, tuple(row)) != tuple(row)
    ]
    differ += [
        ids[index]
        for index, method in method_rows(about.scenario.baselines)
        if methods.get(ids[index], method) != method
    ]
    differ += [
        id
        for id, project, *row in device_rows(about.scenario)
        if devices.get(id, (ids[project], *row)) != (ids[project], *row)
    ]
    if differ:
        more = f" and {len(differ) - _NAMED:,} more" if len(differ) > _NAMED else ""
        raise UsageError(
            "with [ledger], a reload cannot change a project's standalone, contract_threshold or "
            "baseline, nor a device's project, type or nameplate_capacity: use another id, or "
            f"restart the run ({', '.join(differ[:_NAMED])}{more})"
        )
    if transports != list(about.transports):
        raise UsageError(
            "with [ledger], a reload cannot add or remove transports, nor change their format or "
            "framing: restart the run"
        )
