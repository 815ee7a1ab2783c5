"""The sites of a configuration, as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Keys, Sites
from gridsim.config.tables.site import SiteSettings
from gridsim.config.tables.stanzas import PLACE, ProjectStanza
from gridsim.helpers import climate
from gridsim.helpers.holidays import Holidays
from gridsim.helpers.mains import Mains, mains_of
from gridsim.helpers.synchronous_areas import synchronous_area_of

T = TypeVar("T")
Rows = NDArray[np.intp]


def make_sites(
    ids: Sequence[str],
    keys: Keys,
    stanzas: Sequence[ProjectStanza],
    at: Sequence[Rows],
    site: SiteSettings,
    per_site: Callable[[str], Floats],
) -> Sites:
    """Return the sites of all projects.

    `at` has the projects of each stanza, and `per_site` returns the column of a setting that may
    be a distribution.
    """
    zones = [stanza.project.settings.timezone or site.timezone for stanza in stanzas]
    mains = [_mains(stanza, zone, site) for stanza, zone in zip(stanzas, zones, strict=True)]
    areas = [_area(stanza, zone, site) for stanza, zone in zip(stanzas, zones, strict=True)]
    place = {name: per_site(name) for name in PLACE}
    usual_height = climate.land_height(place["latitude"], place["longitude"])
    return Sites(
        ids=ids,
        keys=keys,
        latitude=place["latitude"],
        longitude=place["longitude"],
        altitude=np.where(np.isnan(place["altitude"]), usual_height, place["altitude"]),
        timezone=repeated(zones, at),
        nominal_voltage=np.array(repeated([own.nominal_voltage for own in mains], at)),
        phases=np.array(repeated([float(own.phases) for own in mains], at)),
        synchronous_area=repeated(areas, at),
        feeder_impedance=place["feeder_impedance"],
        main_fuse_a=place["main_fuse_a"],
        holidays=repeated([_holidays(stanza, site) for stanza in stanzas], at),
    )


def repeated(values: Sequence[T], at: Sequence[Rows]) -> list[T]:
    """Return a column with each value in its rows."""
    column = np.empty(sum(len(rows) for rows in at), object)
    for value, rows in zip(values, at, strict=True):
        column[rows] = value
    result: list[T] = column.tolist()
    return result


def _mains(stanza: ProjectStanza, zone: str, site: SiteSettings) -> Mains:
    """Return the supply of a project: its own, that of `[site]`, or that of its time zone."""
    project, usual = stanza.project.settings, mains_of(zone)
    volts, phases = project.nominal_voltage, project.phases
    if volts is None:
        volts = site.nominal_voltage
    if phases is None:
        phases = site.phases
    return Mains(
        usual.nominal_voltage if volts is None else volts,
        usual.phases if phases is None else phases,
    )


def _holidays(stanza: ProjectStanza, site: SiteSettings) -> Holidays:
    own = stanza.project.settings.holidays
    return Holidays(tuple(site.holidays if own is None else own))


def _area(stanza: ProjectStanza, zone: str, site: SiteSettings) -> str:
    """Return the synchronous area of a project: its own, that of `[site]`, or of its time zone."""
    own = stanza.project.settings.synchronous_area or site.synchronous_area
    return own or synchronous_area_of(zone)
