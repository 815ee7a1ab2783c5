"""Units in the headers of columns, and their conversion to gridsim's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from gridsim.helpers.randomness import Floats

Quantity = Literal["power", "irradiance", "temperature", "speed"]

OWN: Final[dict[Quantity, str]] = {
    "power": "kW",
    "irradiance": "W/m2",
    "temperature": "°C",
    "speed": "m/s",
}
"""The unit of each quantity in gridsim."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion to gridsim's unit: value * factor + offset."""

    unit: str
    """The unit in words, for a log line."""
    factor: float = 1.0
    offset: float = 0.0
    per_interval: bool = False
    """True for an energy per interval: the mean power is the result over the interval's hours."""

    @property
    def changes(self) -> bool:
        return (self.factor, self.offset, self.per_interval) != (1.0, 0.0, False)

    def apply(self, values: Floats, interval_s: float) -> Floats:
        """Convert values; NaN stays NaN."""
        hours = interval_s / 3600.0 if self.per_interval else 1.0
        return np.asarray(values * (self.factor / hours) + self.offset, np.float64)


_UNITS: Final[dict[Quantity, tuple[tuple[str, Conversion], ...]]] = {
    "power": (
        ("w watt watts", Conversion("W", 1e-3)),
        ("kw kilowatt kilowatts", Conversion("kW")),
        ("mw megawatt", Conversion("MW", 1e3)),
        ("gw", Conversion("GW", 1e6)),
        ("wh", Conversion("Wh per interval", 1e-3, per_interval=True)),
        ("kwh", Conversion("kWh per interval", per_interval=True)),
        ("mwh", Conversion("MWh per interval", 1e3, per_interval=True)),
        ("kj", Conversion("kJ per interval", 1 / 3600, per_interval=True)),
        ("mj", Conversion("MJ per interval", 1 / 3.6, per_interval=True)),
    ),
    "irradiance": (
        ("w/m2 wm2 watt/m2", Conversion("W/m2")),
        ("kw/m2", Conversion("kW/m2", 1e3)),
        ("wh/m2", Conversion("Wh/m2 per interval", per_interval=True)),
        ("kwh/m2", Conversion("kWh/m2 per interval", 1e3, per_interval=True)),
        ("j/m2", Conversion("J/m2 per interval", 1 / 3600, per_interval=True)),
        ("kj/m2", Conversion("kJ/m2 per interval", 1 / 3.6, per_interval=True)),
        ("mj/m2", Conversion("MJ/m2 per interval", 1e3 / 3.6, per_interval=True)),
        ("j/cm2", Conversion("J/cm2 per interval", 1 / 0.36, per_interval=True)),
    ),
    "temperature": (
        ("c degc celsius degreescelsius degreesc", Conversion("°C")),
        ("f degf fahrenheit degreesf", Conversion("°F", 5 / 9, -160 / 9)),
        ("k degk kelvin", Conversion("K", 1.0, -273.15)),
    ),
    "speed": (
        ("m/s ms mps", Conversion("m/s")),
        ("km/h kmh kmph kph km/hr", Conversion("km/h", 1 / 3.6)),
        ("mph mi/h miles/h", Conversion("mph", 0.44704)),
        ("kn kt kts knot knots", Conversion("kn", 1852 / 3600)),
        ("ft/s fps", Conversion("ft/s", 0.3048)),
    ),
}
_BY_NAME: Final = {
    quantity: {name: conversion for names, conversion in rows for name in names.split()}
    for quantity, rows in _UNITS.items()
}
# Units that a header may have, but that belong to none of the quantities.
_OTHER: Final = frozenset(
    [
        "kva", "va", "mva", "var", "kvar", "a", "ma", "v", "kv", "%", "pa", "hpa", "kpa", "mbar",
        "bar", "mm", "cm", "m", "lux", "lx", "klux", "hz", "eur", "usd", "bft", "beaufort",
        "langley", "langleys", "ly", "btu", "cal", "kcal", "rankine", "degr",
    ]
)  # fmt: skip
# Names of units that are too likely to be something else, if they are not the last word.
_ELSEWHERE: Final = frozenset(["ms", "gw", "kj", "mj", "k"])
_BRACKETS = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_NUMERIC = re.compile(r"\s*[+-]?[.,]?[0-9]")
_TOKENS = re.compile(r"[\s_,;:]+|(?<=[a-z]{2})(?<!k)(?=k?[A-Z])")


def unit_of(header: str, quantity: Quantity) -> Conversion | None:
    """Return the conversion for the unit in a column's header, or None if it has none.

    The unit is in brackets, or a word: `wind (km/h)`, `power_w`, `wind_km_h`, `PowerW`, `MW`; the
    last such word counts. It raises ValueError if the unit is one of another quantity.
    """
    every = {name for names in _BY_NAME.values() for name in names} | _OTHER
    for inside in _BRACKETS.findall(header):
        text = _plain(inside)
        if text in _BY_NAME[quantity]:
            return _BY_NAME[quantity][text]
        if (text in every and len(text) > 1) or "/" in text:
            raise _wrong(header, inside, quantity)
    bare = _BRACKETS.sub(" ", header).strip()
    words = [_plain(word) for word in _TOKENS.split(bare) if word and word.casefold() != "per"]
    for place in reversed(range(len(words))):
        word, is_last = words[place], place == len(words) - 1
        if word in ("kva", "mva", "var", "kvar") and is_last:
            raise _wrong(header, word, quantity)
        pair = "/".join(words[max(place - 1, 0) : place + 1])
        for text in (pair, word):
            if text in _BY_NAME[quantity] and (is_last or text not in _ELSEWHERE):
                return _BY_NAME[quantity][text]
    return None


def is_row_of_units(fields: Sequence[str]) -> bool:
    """Return true for a row that has a unit, and in which no field begins like a number."""
    known = {name for names in _BY_NAME.values() for name in names} | _OTHER
    plain = [_plain(field.strip(" ()[]")) for field in fields]
    numeric = any(_NUMERIC.match(field) for field in fields)
    return not numeric and any(text in known for text in plain)


def conversion_of(unit: str | float, quantity: Quantity) -> Conversion:
    """Return the conversion for a unit of a setting, or for a number, a factor.

    It raises ValueError if the quantity does not have the unit.
    """
    if not isinstance(unit, str):
        return Conversion(f"times {unit:g}", float(unit))
    found = _BY_NAME[quantity].get(_plain(unit))
    if found is None:
        known = ", ".join(names.split()[0] for names, _ in _UNITS[quantity])
        raise ValueError(f"{unit!r} is not a unit of {quantity}; there are: {known}, or a factor")
    return found


def _plain(unit: str) -> str:
    text = unicodedata.normalize("NFKC", unit).casefold()
    text = re.sub(r"[\s^*.\u00b0\u00b7]", "", text).replace("\u2212", "-")
    return re.sub(r"/?(c?m)-2$", r"/\g<1>2", text).replace("ms-1", "m/s").replace("kmh-1", "km/h")


def _wrong(header: str, unit: str, quantity: Quantity) -> ValueError:
    return ValueError(
        f"column {header!r} has the unit {unit!r}, which is not one of {quantity}: name another "
        "column, or set its unit"
    )
