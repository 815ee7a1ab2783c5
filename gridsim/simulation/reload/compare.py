"""The comparison of two scenarios of one run: the devices and projects that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Fleet, Floats, Members, Sites, Staying
from gridsim.simulation.scenario import EventSpec, FaultSpec, Scenario
from gridsim.simulation.schedule import Schedule

Mask = NDArray[np.bool_]

_NUMBERS = (
    "latitude",
    "longitude",
    "altitude",
    "nominal_voltage",
    "phases",
    "feeder_impedance",
    "main_fuse_a",
)
_TEXTS = ("timezone", "synchronous_area", "holidays")


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioChanges:
    """The projects and devices of two scenarios.

    A project stays if its id stays. A device stays if its id, project, type and settings stay, and
    the place of its project: otherwise it restarts with its initial state.
    """

    sites: Staying
    devices: Staying
    known: Staying
    """The devices with the same id, even if their settings have changed."""
    added: tuple[str, ...]
    """The ids of the devices that only the new scenario has."""
    removed: tuple[str, ...]
    """The ids of the devices that only the older one has."""
    changed: tuple[str, ...]
    """The ids of the devices in both that restart."""
    projects_added: tuple[str, ...]
    projects_removed: tuple[str, ...]

    @classmethod
    def between(cls, older: Scenario, new: Scenario) -> ScenarioChanges:
        """Compare the scenarios."""
        before, after = older.roster, new.roster
        of_site = _index(after.project_id, before.project_id)
        same_place = _same_places(older.sites, new.sites, of_site)
        of_device = _index(after.der_id, before.der_id)
        stays = of_device >= 0
        at = of_device[stays]
        project = after.project[stays]
        stays[stays] = same_place[project] & (of_site[project] == before.project[at])
        equal = np.zeros(len(after), np.bool_)
        fleets = {(spec.name, spec.stage): spec for spec in older.fleets}
        for spec in new.fleets:
            same = fleets.get((spec.name, spec.stage))
            if same is None or not same_type(same.type, spec.type):
                continue
            row_of = np.full(len(before) + 1, -1, np.intp)
            row_of[same.device] = np.arange(len(same.device))
            rows = row_of[of_device[spec.device]]
            equal[spec.device] = same_members(same.members, spec.members, rows)
        kept = stays & equal
        ids = np.array(after.der_id, np.object_)
        known = set(after.der_id)
        places = set(after.project_id)
        return cls(
            sites=Staying.of(of_site, len(before.project_id)),
            devices=Staying.of(np.where(kept, of_device, -1), len(before)),
            known=Staying.of(of_device, len(before)),
            added=tuple(ids[of_device < 0].tolist()),
            removed=tuple(id for id in before.der_id if id not in known),
            changed=tuple(ids[(of_device >= 0) & ~kept].tolist()),
            projects_added=tuple(np.array(after.project_id, np.object_)[of_site < 0].tolist()),
            projects_removed=tuple(id for id in before.project_id if id not in places),
        )

    @property
    def none(self) -> bool:
        """True if all projects and devices stay, in the same order."""
        return self.sites.all_alike and self.devices.all_alike


def same_type(older: type[Fleet], new: type[Fleet]) -> bool:
    """Return whether the code of a DER type has stayed; each registration wraps a `Device`."""
    device = getattr(new, "device", None)
    return older is new or (device is not None and getattr(older, "device", None) is device)


def same_members(older: Members[Any], new: Members[Any], rows: NDArray[np.intp]) -> Mask:
    """Return the members with equal settings, bool[n]; `rows` has their older index, or -1."""
    equal = rows >= 0
    equal &= older.wanted == new.wanted and older.columns.keys() == new.columns.keys()
    at = np.flatnonzero(equal)
    before = rows[at]
    alike = np.ones(len(at), np.bool_)
    for name, column in new.columns.items():
        alike &= _equal(column[at], older.columns[name][before])
    for own in np.unique(new.stanza[at]).tolist():
        of_own = new.stanza[at] == own
        for other in np.unique(older.stanza[before[of_own]]).tolist():
            if not _same_settings(older.settings[other], new.settings[own], new.columns):
                alike[of_own & (older.stanza[before] == other)] = False
    equal[at] = alike
    return equal


def same_event(older: EventSpec, new: EventSpec) -> bool:
    """Return whether an event has stayed; its projects may differ."""
    names = (
        *("id", "duration_ms", "notice_ms", "ramp_ms", "randomize_ms", "cancel_after_ms"),
        *("reduces", "opt_out", "export_limit_kw", "import_limit_kw"),
    )
    return (
        all(getattr(older, name) == getattr(new, name) for name in names)
        and _same_schedule(older.schedule, new.schedule)
        and repr(older.target_kw) == repr(new.target_kw)
        and repr(older.compliance) == repr(new.compliance)
    )


def same_fault(older: FaultSpec, new: FaultSpec) -> bool:
    """Return whether a fault has stayed; its devices may differ."""
    names = ("id", "type", "per_day", "probability", "of_project")
    return (
        all(getattr(older, name) == getattr(new, name) for name in names)
        and _same_schedule(older.schedule, new.schedule)
        and repr(older.duration_s) == repr(new.duration_s)
        and list(older.members.settings) == list(new.members.settings)
    )


def _index(new: Sequence[str], old: Sequence[str]) -> NDArray[np.intp]:
    """Return the index in `old` of each of the ids `new`, -1 if it is not there."""
    place = {id: index for index, id in enumerate(old)}
    return np.array([place.get(id, -1) for id in new], np.intp)


def _same_places(older: Sites, new: Sites, of: NDArray[np.intp]) -> Mask:
    equal = of >= 0
    at = np.flatnonzero(equal)
    before = of[at]
    alike = np.ones(len(at), np.bool_)
    for name in _NUMBERS:
        alike &= _equal(getattr(new, name)[at], getattr(older, name)[before])
    for name in _TEXTS:
        own, theirs = getattr(new, name), getattr(older, name)
        pairs = zip(at.tolist(), before.tolist(), strict=True)
        alike &= np.array([own[row] == theirs[index] for row, index in pairs], np.bool_)
    equal[at] = alike
    return equal


def _equal(one: Floats, other: Floats) -> Mask:
    same: Mask = (one == other) | (np.isnan(one) & np.isnan(other))
    return same


def _same_settings(older: Any, new: Any, columns: Any) -> bool:
    """Return whether settings are equal, apart from those that are columns."""
    names = [name for name in type(new).model_fields if name not in columns]
    return type(older) is type(new) and all(
        getattr(older, name) == getattr(new, name) for name in names
    )


def _same_schedule(older: Schedule | None, new: Schedule | None) -> bool:
    if older is None or new is None:
        return older is new
    return (older.at_ms, repr(older.cron)) == (new.at_ms, repr(new.cron))
