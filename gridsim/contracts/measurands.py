"""Measurands: further columns of the readings, computed only if something in the run wants them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gridsim.contracts.codes import ALARMS, STATES, Codes

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
    of_type: bool = False
    """True if it is a column of the fleets, which is missing for types that do not report it."""
    codes: Codes | None = None
    """The names of its values; None: they are quantities."""


def _register(*measurands: Measurand) -> Mapping[str, Measurand]:
    return {one.name: one for one in measurands}


STATE_COLUMN, ALARMS_COLUMN = "state", "alarms"
_CODES: Mapping[str, Codes] = {STATE_COLUMN: STATES}
SETPOINT, LOWER, UPPER = "setpoint_kw", "lower_limit_kw", "upper_limit_kw"
"""The measurands of the orders that a device of any type has in a tick."""
METER = "meter_"
"""The beginning of the names of a site's measurands."""
LINES = ("_l1", "_l2", "_l3")
"""The ends of the names of measurands of a single line."""


def _electrical(prefix: str, of: str, *, of_site: bool) -> Iterator[Measurand]:
    """Yield the electrical measurands of a DER, or those of a site."""
    sign = "positive when the site draws it" if of_site else "positive when the DER feeds it"
    for name, unit, decimals, what, rule in (
        ("voltage", "V", 1, "voltage", "the mean of its lines"),
        ("current", "A", 2, "current", "the sum of its lines, never negative"),
    ):
        yield Measurand(prefix + name, unit, decimals, f"{what} of {of}: {rule}", of_site)
        for number, line in enumerate(LINES, 1):
            text = f"{what} of {of} on line {number}; missing where it has none"
            yield Measurand(prefix + name + line, unit, decimals, text, of_site)
    text = f"active over apparent power of {of}, with the sign of the active power; 1 without power"
    yield Measurand(prefix + "power_factor", "1", 3, text, of_site)
    text = f"reactive power of {of}, {sign}"
    yield Measurand(prefix + "reactive_kvar", "kvar", 2, text, of_site)


def _of_types() -> Iterator[Measurand]:
    """Yield the measurands that DER types report."""
    for name, unit, decimals, text in (
        ("session_id", "1", 0, "number of the session of a charger's car; missing without a car"),
        ("session_kwh", "kWh", 3, "energy that the car has drawn in its session"),
        ("connected_since", "s", 0, "arrival of the car, seconds since 1970-01-01 UTC"),
        ("state", "1", 0, "operating state of an inverter, 1 to 8, or a charger, from 101"),
        ("energy_available_kwh", "kWh", 3, "energy that a battery, or a charger's car, stores"),
        ("dc_power_kw", "kW", 2, "power from modules or cells to the inverter; negative: charging"),
        ("cell_temperature_c", "degC", 1, "temperature of solar cells: the mean of an array"),
        (SETPOINT, "kW", 2, "setpoint in force, by a command or an event; missing without one"),
        (LOWER, "kW", 2, "lower limit of the output in force; missing without one"),
        (UPPER, "kW", 2, "upper limit of the output in force; missing without one"),
    ):
        codes = _CODES.get(name)
        yield Measurand(name, unit, decimals, text, of_type=True, codes=codes)


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
    Measurand(
        ALARMS_COLUMN,
        "1",
        0,
        "alarms of the DER, a bit mask: Alrm of SunSpec model 701; 0 without an alarm",
        codes=ALARMS,
    ),
    *_electrical("", "the DER", of_site=False),
    *_electrical(METER, "the site's meter", of_site=True),
    *_of_types(),
)
"""The measurands by name."""

DER_REGISTERS = ("energy_import_kwh", "energy_export_kwh")
"""The energy registers of a DER."""
SITE_REGISTERS = ("meter_import_kwh", "meter_export_kwh")
"""The energy registers of a site's meter."""
FREQUENCY = "frequency"
ELECTRICAL = frozenset(
    one.name for prefix in ("", METER) for one in _electrical(prefix, "", of_site=False)
)
"""The names of the measurands of voltage, current and power of DERs and sites."""


def measurands_among(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are measurands, each once, in the order of `MEASURANDS`."""
    wanted = set(names)
    return tuple(name for name in MEASURANDS if name in wanted)


def codes_of(name: str, unit: str) -> Codes | None:
    """Return the names of the values of a further column; None: they are quantities."""
    measurand = MEASURANDS.get(name)
    return measurand.codes if measurand is not None and measurand.unit == unit else None


def decimals_of(name: str, unit: str) -> int:
    """Return the number of decimals of a further column: a measurand, or a column of a type."""
    measurand = MEASURANDS.get(name)
    if measurand is not None and measurand.unit == unit:
        return measurand.decimals
    return 2 if unit == _KW else 3
