"""Measurands: the columns that the core computes for every DER type, if something wants them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

_KW = "kW"


@dataclass(frozen=True, slots=True)
class Measurand:
    """A column that the readings have if something in the run wants it."""

    name: str
    unit: str
    decimals: int
    """The number of decimals of its values, which are rounded once, in the batch."""
    description: str
    of_site: bool = False
    """True if it is the same for all DERs of a site at one time."""


def _register(*measurands: Measurand) -> Mapping[str, Measurand]:
    return {one.name: one for one in measurands}


MEASURANDS: Mapping[str, Measurand] = _register(
    Measurand(
        "energy_import_kwh",
        "kWh",
        3,
        "register of the energy that the DER has drawn since the start of the simulation",
    ),
    Measurand(
        "energy_export_kwh",
        "kWh",
        3,
        "register of the energy that the DER has fed since the start of the simulation",
    ),
    Measurand(
        "meter_import_kwh",
        "kWh",
        3,
        "register of the energy that the site has drawn from the grid, net of its DERs",
        of_site=True,
    ),
    Measurand(
        "meter_export_kwh",
        "kWh",
        3,
        "register of the energy that the site has fed to the grid, net of its load",
        of_site=True,
    ),
    Measurand(
        "frequency",
        "Hz",
        3,
        "frequency of the grid at the tick's start, the same for all sites of a synchronous area",
        of_site=True,
    ),
)
"""The measurands by name."""

DER_REGISTERS = ("energy_import_kwh", "energy_export_kwh")
"""The energy registers of a DER."""
SITE_REGISTERS = ("meter_import_kwh", "meter_export_kwh")
"""The energy registers of a site's meter."""
FREQUENCY = "frequency"


def measurands_among(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are measurands, each once, in the order of `MEASURANDS`."""
    wanted = set(names)
    return tuple(name for name in MEASURANDS if name in wanted)


def decimals_of(name: str, unit: str) -> int:
    """Return the number of decimals of a further column: a measurand, or a column of a type."""
    measurand = MEASURANDS.get(name)
    if measurand is not None and measurand.unit == unit:
        return measurand.decimals
    return 2 if unit == _KW else 3


def unknown_name(name: str, known: Collection[str]) -> str:
    """Return a hint for an unknown name: the nearest known one, or all of them."""
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
