"""The projects and devices of a run as tables: filtered, sorted, and divided into pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    CALLED,
    DISABLED,
    FAULTY,
    OFFLINE,
    Control,
    DeviceStates,
    Floats,
    Roster,
    SiteStates,
    Snapshot,
)
from gridsim_plugins.views.web.answers import Failed
from gridsim_plugins.views.web.models import (
    DeviceItem,
    DevicesAnswer,
    DevicesQuery,
    Order,
    ProjectAnswer,
    ProjectItem,
    ProjectsAnswer,
    ProjectsQuery,
)

_BITS = {"offline": OFFLINE, "faulty": FAULTY, "called": CALLED, "disabled": DISABLED}
_DEVICES_OF_PROJECT = 500


class Tables:
    """The tables of a run's roster."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._roster: Roster = control.roster

    def projects(self, query: ProjectsQuery) -> ProjectsAnswer:
        """Return the projects that match a query."""
        snapshot = self._control.snapshot()
        sites = snapshot.sites
        rows = np.arange(len(self._roster.project_id))
        standalone = np.asarray(self._roster.is_standalone, bool)
        chosen = {
            "contract": ~standalone,
            "standalone": standalone,
            "called": ~np.isnan(sites.target_kw),
            "violation": sites.in_violation,
        }.get(query.state)
        if chosen is not None:
            rows = rows[chosen]
        rows = _arranged(rows, query, self._project_names, self._project_rank, sites)
        page = rows[query.offset : query.offset + query.limit]
        history = self._control.project_history(page) if query.sparkline else None
        items = [
            self._project(snapshot, int(row), None if history is None else history[place])
            for place, row in enumerate(page)
        ]
        return ProjectsAnswer(len(rows), query.offset, items)

    def project(self, id: str) -> ProjectAnswer:
        """Return a project with its devices. Raises Failed."""
        row = self._project_place.get(id)
        if row is None:
            raise Failed(404, f"there is no project {id!r} in this run")
        snapshot = self._control.snapshot()
        history = self._control.project_history(np.array([row], np.intp))
        item = self._project(snapshot, row, history[0])
        first = item.first_device
        last = first + min(item.devices, _DEVICES_OF_PROJECT)
        devices = [self._device(snapshot, place) for place in range(first, last)]
        fields = {name: getattr(item, name) for name in item.__struct_fields__}
        return ProjectAnswer(**fields, device_items=devices)

    def devices(self, query: DevicesQuery) -> DevicesAnswer:
        """Return the devices that match a query. Raises Failed."""
        snapshot = self._control.snapshot()
        columns = snapshot.devices
        rows = np.arange(len(self._roster))
        if query.project:
            place = self._project_place.get(query.project)
            if place is None:
                raise Failed(404, f"there is no project {query.project!r} in this run")
            rows = np.flatnonzero(self._roster.project == place)
        if query.type:
            rows = rows[self._types[rows] == query.type]
        if query.state == "online":
            rows = rows[columns.state[rows] & OFFLINE == 0]
        elif query.state:
            rows = rows[columns.state[rows] & _BITS[query.state] != 0]
        rows = _arranged(rows, query, self._device_names, self._device_rank, columns)
        page = rows[query.offset : query.offset + query.limit]
        items = [self._device(snapshot, int(row)) for row in page]
        return DevicesAnswer(len(rows), query.offset, items)

    def device(self, id: str) -> DeviceItem:
        """Return a device. Raises Failed."""
        return self._device(self._control.snapshot(), self.place(id))

    def place(self, id: str) -> int:
        """Return the index of a device. Raises Failed."""
        place = self._device_place.get(id)
        if place is None:
            raise Failed(404, f"there is no DER {id!r} in this run")
        return place

    def _project(self, snapshot: Snapshot, row: int, history: Floats | None) -> ProjectItem:
        sites, first = snapshot.sites, int(self._first[row])
        return ProjectItem(
            id=self._roster.project_id[row],
            index=row,
            standalone=bool(self._roster.is_standalone[row]),
            devices=int(self._first[row + 1]) - first,
            first_device=first,
            load_kw=rounded(sites.load_kw[row]),
            net_kw=rounded(sites.load_kw[row] - sites.output_kw[row]),
            output_kw=rounded(sites.output_kw[row]),
            baseline_kw=rounded(sites.baseline_kw[row]),
            threshold_kw=rounded(sites.threshold_kw[row]),
            target_kw=rounded(sites.target_kw[row]),
            delivered_kw=rounded(
                sites.baseline_kw[row] - sites.load_kw[row] + sites.output_kw[row]
            ),
            in_violation=bool(sites.in_violation[row]),
            violations=int(sites.violations[row]),
            sparkline=None if history is None else numbers(history),
        )

    def _device(self, snapshot: Snapshot, row: int) -> DeviceItem:
        roster, columns = self._roster, snapshot.devices
        state = int(columns.state[row])
        return DeviceItem(
            id=roster.der_id[row],
            index=row,
            project=roster.project_id[roster.project[row]],
            type=roster.type[row],
            nameplate_kw=float(roster.nameplate_capacity[row]),
            output_kw=rounded(columns.output_kw[row]),
            soc=rounded(columns.soc[row]),
            online=not state & OFFLINE,
            faulty=bool(state & FAULTY),
            called=bool(state & CALLED),
            disabled=bool(state & DISABLED),
        )

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        """The index of the first device of each project, and the number of devices."""
        return np.searchsorted(self._roster.project, np.arange(len(self._roster.project_id) + 1))

    @cached_property
    def _types(self) -> NDArray[np.str_]:
        return np.array(self._roster.type)

    @cached_property
    def _project_place(self) -> dict[str, int]:
        return {id: place for place, id in enumerate(self._roster.project_id)}

    @cached_property
    def _device_place(self) -> dict[str, int]:
        return {id: place for place, id in enumerate(self._roster.der_id)}

    @cached_property
    def _project_names(self) -> list[str]:
        return [id.casefold() for id in self._roster.project_id]

    @cached_property
    def _device_names(self) -> list[str]:
        return [id.casefold() for id in self._roster.der_id]

    @cached_property
    def _project_rank(self) -> NDArray[np.intp]:
        return _ranks(self._roster.project_id)

    @cached_property
    def _device_rank(self) -> NDArray[np.intp]:
        return _ranks(self._roster.der_id)


def rounded(value: float) -> float | None:
    """Return a number with three decimals; None for NaN."""
    return None if value != value else round(float(value), 3)


def numbers(column: Floats) -> list[float | None]:
    """Return a column with three decimals; None for NaN."""
    return [None if value != value else round(value, 3) for value in column.tolist()]


def _ranks(ids: Sequence[str]) -> NDArray[np.intp]:
    order = sorted(range(len(ids)), key=ids.__getitem__)
    ranks = np.empty(len(ids), np.intp)
    ranks[order] = np.arange(len(ids))
    return ranks


def _sorted(rows: NDArray[np.intp], column: NDArray[np.generic], order: Order) -> NDArray[np.intp]:
    """Sort rows by a column; rows without a value are last."""
    keys = np.asarray(column[rows], float)
    return rows[np.argsort(-keys if order == "desc" else keys, kind="stable")]


def _arranged(
    rows: NDArray[np.intp],
    query: ProjectsQuery | DevicesQuery,
    names: Sequence[str],
    ranks: NDArray[np.intp],
    columns: SiteStates | DeviceStates,
) -> NDArray[np.intp]:
    """Return the rows whose name contains the query's filter, in its order."""
    if query.filter:
        rows = _containing(rows, names, query.filter)
    if query.sort == "id":
        return _sorted(rows, ranks, query.order)
    if query.sort != "roster":
        return _sorted(rows, getattr(columns, query.sort), query.order)
    return rows[::-1] if query.order == "desc" else rows


def _containing(rows: NDArray[np.intp], names: Sequence[str], part: str) -> NDArray[np.intp]:
    """Return the rows whose name holds a text."""
    part = part.casefold()
    return np.array([row for row in rows.tolist() if part in names[row]], np.intp)
