"""The reader of files with sessions: arrival, departure, energy, and charger."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.helpers.tables import RowError, Table, read_stamps, read_table, unit_of, utc_of_local

_ENERGY = ("energy_kwh", "energy", "kwh")
_CHARGER = ("der_id",)
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """The sessions of one charger, in order of time."""

    arrival_ms: NDArray[np.int64]
    """The times of arrival and departure, UTC."""
    departure_ms: NDArray[np.int64]
    energy_kwh: Floats

    @classmethod
    def none(cls) -> Recorded:
        """Return no sessions."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def read_sessions(path: str, zone: str) -> dict[str, Recorded]:
    """Return the sessions of a file by DER id; by the empty text if there is no column `der_id`.

    Times without an offset are local times of `zone`. It raises ValueError, which names the file
    and the line.
    """
    table = read_table(path, ["arrival", "departure", _ENERGY[0]])
    arrival, departure = _times(table, "arrival", zone), _times(table, "departure", zone)
    energy = _energy(table)
    if (wrong := np.flatnonzero(departure <= arrival)).size:
        raise table.error(int(wrong[0]), "the departure is not after the arrival")
    chargers = np.array(table.texts(*_CHARGER) if table.has(*_CHARGER) else [""] * len(table))
    if table.has(*_CHARGER) and (empty := np.flatnonzero(chargers == "")).size:
        raise table.error(int(empty[0]), "the der_id is empty")
    order = np.lexsort((arrival, chargers))
    arrival, departure, energy, named = (
        arrival[order],
        departure[order],
        energy[order],
        chargers[order],
    )
    overlap = (named[1:] == named[:-1]) & (arrival[1:] < departure[:-1])
    if (wrong := np.flatnonzero(overlap)).size:
        one, other = int(order[wrong[0]]), int(order[wrong[0] + 1])
        of = f" of {named[wrong[0]]}" if named[wrong[0]] else ""
        raise table.error(
            other, f"the car arrives before the one{of} in line {table.lines[one]} has left"
        )
    result = {}
    for name in np.unique(named).tolist():
        own = named == name
        result[name] = Recorded(arrival[own], departure[own], energy[own])
    return result


def _times(table: Table, column: str, zone: str) -> NDArray[np.int64]:
    stamps = read_stamps(table, [column])
    if stamps.of_day:
        raise table.error(0, f"{column} must be a date and a time, such as 2026-03-29 17:25")
    if stamps.aware:
        return stamps.ms
    try:
        return utc_of_local(stamps.ms, ZoneInfo(zone))
    except RowError as error:
        raise table.error(error.row, str(error)) from None


def _energy(table: Table) -> Floats:
    name = table.name(*_ENERGY)
    energy = table.numbers(*_ENERGY)
    try:
        unit = unit_of(name, "power")
    except ValueError as error:
        raise ValueError(f"{table.path}: {error}") from None
    if unit is not None and not unit.per_interval:
        raise ValueError(f"{table.path}: {name} must be an energy, such as kWh, not {unit.unit}")
    if (negative := np.flatnonzero(energy < 0.0)).size:
        row = int(negative[0])
        raise table.error(row, f"{name} is {energy[row]:g}: must not be negative")
    return energy * (unit.factor if unit is not None else 1.0)
