"""Numeric helpers for models: sun, sky, climate, heat, curtailment, time windows, tables of text,
mains supply, synchronous areas, grid support, public holidays, the colours of DER types in
pictures, and the addresses of this machine.

They are public: plugins import them from here. They are less stable than `gridsim.api`: a
minor version may change them; CHANGELOG.md lists each change.
"""

from __future__ import annotations

from gridsim.helpers import (
    clearsky,
    climate,
    colours,
    holidays,
    mains,
    sun,
    support_curves,
    synchronous_areas,
    tables,
    thermal,
    weibull,
    windows,
)
from gridsim.helpers.addresses import is_loopback
from gridsim.helpers.curtailment import Curtailment
from gridsim.helpers.minutely import Minutely, Staggered
from gridsim.helpers.tables import Table, read_table

__all__ = [
    "Curtailment",
    "Minutely",
    "Staggered",
    "Table",
    "clearsky",
    "climate",
    "colours",
    "holidays",
    "is_loopback",
    "mains",
    "read_table",
    "sun",
    "support_curves",
    "synchronous_areas",
    "tables",
    "thermal",
    "weibull",
    "windows",
]
