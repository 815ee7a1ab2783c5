"""The colours of DER types: each type has the same colour in every picture.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), which colour-blind people
distinguish. Black is left out: net power has the colour of the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HUES: Final = {
    "orange": "#E69F00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "vermillion": "#D55E00",
    "blue": "#0072B2",
    "yellow": "#F0E442",
}
"""The hues by name, as published."""

# The reported types of the built-in DERs.
_TYPES = {
    "solar": "orange",
    "battery_storage": "green",
    "ev_charger": "purple",
    "wind_turbine": "sky",
    "heat_pump": "vermillion",
    "water_heater": "blue",
    "generator": "yellow",
}
# Names that renamed types often have.
_ALIASES = {"battery": "battery_storage", "ev": "ev_charger", "wind": "wind_turbine"}


def hues(types: Iterable[str]) -> dict[str, str]:
    """Return the name of each type's hue.

    Types that are not built in get the hues that the others leave, in alphabetical order. With
    more than seven types some share a hue.
    """
    found = {}
    unknown = []
    for name in sorted(set(types)):
        hue = _TYPES.get(_ALIASES.get(name, name))
        if hue is None:
            unknown.append(name)
        else:
            found[name] = hue
    free = [hue for hue in HUES if hue not in found.values()] or list(HUES)
    return found | {name: free[n % len(free)] for n, name in enumerate(unknown)}
