"""The appliances of homes: saturation, power, the course of a use and the time of day.

Sources: the saturation and power of appliances and the length of a use by Richardson, Thomson,
Infield and Clifford (Domestic electricity use: A high-resolution energy demand model, Energy and
Buildings 42, 2010, table of appliances); the saturation of washing machines, dryers, dishwashers
and freezers by Destatis (Laufende Wirtschaftsrechnungen, 2019 to 2022); the shares of the energy
by BDEW and EnergieAgentur.NRW (2018; 2011): process heat 30 %, cold appliances 17 to 23 %,
electronics 17 to 25 %, light 8 to 10 %. The courses of uses have the phases of the devices
(filling, heating, turning, spinning; heating up and cycling), with rounded figures of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from gridsim.api import Floats

Course = tuple[tuple[float, float], ...]
"""The course of a use: parts of its duration, and the share of the rated power in each."""


class Needs(Enum):
    """The state of the home in which an appliance is used."""

    ACTIVE = "someone is at home and awake"
    PRESENT = "the occupants are not away; a timer may start it"
    NOTHING = "it runs in an empty home, too"


@dataclass(frozen=True, slots=True)
class Programme:
    """One way to use an appliance."""

    weight: float
    """The share of the uses."""
    minutes: float
    """The mean duration."""
    course: Course


@dataclass(frozen=True, slots=True)
class Appliance:
    """A kind of appliance, or a group of similar ones."""

    name: str
    share: float
    """The share of the energy of all homes that is not base load."""
    owned: float
    """The share of the homes that own one."""
    watts: float
    """The median of the rated power."""
    scatter: float
    """The standard deviation of the logarithm of the rated power between homes."""
    activity: str
    """The activity that sets the time of day."""
    needs: Needs
    programmes: tuple[Programme, ...]
    spread: float = 0.35
    """The standard deviation of the logarithm of the duration."""
    scatter_of_use: float = 0.03
    """The relative range of the power from use to use, each way."""
    growth: float = 0.0
    """The rated power grows with this power of the home's annual energy."""


def _steady(minutes: float) -> tuple[Programme, ...]:
    return (Programme(1.0, minutes, ((1.0, 1.0),)),)


def _cycling(heat_up: float, cycles: int, on: float) -> Course:
    """Return a course that heats up and then holds a temperature by switching on and off."""
    cycle = (1.0 - heat_up) / cycles
    held = ((cycle * (1.0 - on), 0.0), (cycle * on, 1.0)) * cycles
    return ((heat_up, 1.0), *held)


def _varying(*levels: float) -> Course:
    """Return a course of equal parts whose mean is the rated power."""
    mean = sum(levels) / len(levels)
    return tuple((1.0 / len(levels), level / mean) for level in levels)


def _drum(turns: int, part: float) -> Course:
    """Return a part of a course in which a drum turns and rests."""
    return (((part / turns * 0.75), 0.10), ((part / turns * 0.25), 0.02)) * turns


def _wash(heating: float) -> Course:
    """Return a washing programme: fill, heat, wash, rinse, spin."""
    rest = 1.0 - 0.04 - heating - 0.09
    return (
        (0.04, 0.04),
        (heating, 1.0),
        *_drum(7, rest * 0.8),
        (0.03, 0.18),
        *_drum(2, rest * 0.2),
        (0.06, 0.24),
    )


APPLIANCES = (
    Appliance(
        "hob", 0.105, 0.80, 1700.0, 0.15, "cooking", Needs.ACTIVE,
        (
            # Frying, and boiling up; simmering on induction, which sets its power, and on a
            # radiant zone, whose regulator switches about every 45 s.
            Programme(0.45, 12.0, ((0.55, 1.0), (0.45, 0.55))),
            Programme(0.25, 26.0, ((0.20, 1.0), (0.30, 0.45), (0.50, 0.30))),
            Programme(0.20, 20.0, _cycling(0.25, 20, 0.40)),
            Programme(0.10, 42.0, ((0.12, 1.0), (0.88, 0.22))),
        ), 0.40, 0.15,
    ),
    Appliance(
        "oven", 0.055, 0.88, 2200.0, 0.12, "baking", Needs.ACTIVE,
        (
            Programme(0.6, 38.0, _cycling(0.24, 5, 0.38)),
            Programme(0.4, 65.0, _cycling(0.14, 9, 0.34)),
        ), 0.30, 0.02,
    ),
    Appliance("kettle", 0.045, 0.90, 2200.0, 0.15, "drinks", Needs.ACTIVE, _steady(2.6), 0.35),
    Appliance(
        "coffee machine", 0.018, 0.82, 1050.0, 0.20, "drinks", Needs.ACTIVE,
        (Programme(1.0, 14.0, ((0.42, 1.0), *(((0.13, 0.0), (0.015, 1.0)) * 4))),),
    ),
    Appliance(
        "microwave", 0.019, 0.75, 1250.0, 0.12, "cooking", Needs.ACTIVE,
        (
            Programme(0.75, 3.0, ((1.0, 1.0),)),
            Programme(0.25, 8.0, ((0.2, 1.0), (0.1, 0.05)) * 3 + ((0.1, 1.0),)),
        ), 0.45,
    ),
    Appliance("small kitchen", 0.014, 0.95, 800.0, 0.35, "cooking", Needs.ACTIVE, _steady(4.0)),
    Appliance(
        "dishwasher", 0.070, 0.72, 2000.0, 0.10, "dishes", Needs.PRESENT,
        (
            Programme(0.55, 150.0, ((0.04, 0.03), (0.11, 1.0), (0.46, 0.035), (0.08, 1.0),
                                    (0.31, 0.01))),
            Programme(0.45, 100.0, ((0.05, 0.03), (0.17, 1.0), (0.38, 0.04), (0.13, 1.0),
                                    (0.27, 0.01))),
        ), 0.10, 0.01,
    ),
    Appliance(
        "washing machine", 0.062, 0.95, 2050.0, 0.08, "laundry", Needs.PRESENT,
        (
            Programme(0.35, 70.0, _wash(0.09)),
            Programme(0.45, 95.0, _wash(0.13)),
            Programme(0.20, 120.0, _wash(0.22)),
        ), 0.12, 0.01,
    ),
    Appliance(
        # With a heat pump, 600 to 900 W, or without one, 2 to 2.7 kW.
        "dryer", 0.045, 0.43, 1300.0, 0.45, "drying", Needs.PRESENT,
        (
            Programme(0.7, 75.0, ((0.70, 1.0), *(((0.03, 0.1), (0.045, 1.0)) * 4))),
            Programme(0.3, 50.0, ((0.65, 1.0), *(((0.035, 0.1), (0.0525, 1.0)) * 4))),
        ), 0.20, 0.02,
    ),
    Appliance("vacuum cleaner", 0.012, 0.94, 950.0, 0.30, "cleaning", Needs.ACTIVE, _steady(14.0)),
    Appliance(
        "iron", 0.010, 0.80, 1500.0, 0.25, "ironing", Needs.ACTIVE,
        (Programme(1.0, 28.0, _cycling(0.10, 8, 0.30)),),
    ),
    Appliance("hair dryer", 0.008, 0.75, 1400.0, 0.25, "dressing", Needs.ACTIVE, _steady(4.5)),
    Appliance(
        "small water heater", 0.050, 0.25, 2000.0, 0.05, "washing up", Needs.ACTIVE,
        _steady(8.0), 0.45, 0.01,
    ),
    Appliance(
        "lamps", 0.125, 1.00, 42.0, 0.35, "light", Needs.ACTIVE, _steady(55.0), 0.70, 0.85, 0.2,
    ),
    Appliance(
        "lamps left on", 0.030, 0.85, 22.0, 0.45, "light at night", Needs.PRESENT, _steady(100.0),
        0.30, 0.50, 0.6,
    ),
    Appliance(
        "television", 0.105, 0.96, 105.0, 0.40, "television", Needs.ACTIVE,
        (Programme(1.0, 75.0, _varying(1.08, 0.92, 1.06, 0.94)),), 0.50, 0.10, 0.2,
    ),
    Appliance(
        "computer", 0.090, 0.92, 80.0, 0.45, "electronics", Needs.ACTIVE,
        (Programme(1.0, 80.0, _varying(1.25, 0.9, 1.1, 0.8)),), 0.50, 0.20, 0.2,
    ),
    Appliance(
        "chargers and audio", 0.037, 1.00, 22.0, 0.50, "electronics", Needs.PRESENT,
        _steady(90.0), 0.35, 0.50, 0.6,
    ),
    Appliance(
        "heating pump", 0.100, 0.62, 75.0, 0.30, "heating", Needs.NOTHING,
        (Programme(1.0, 32.0, ((0.05, 1.35), (0.95, 0.9816))),), 0.50, 0.08, 0.8,
    ),
)  # fmt: skip
"""The appliances whose use is drawn; the cold ones and standby are the base load."""

NAMES = tuple(one.name for one in APPLIANCES)
KINDS = len(APPLIANCES)
SHARE: Floats = np.array([one.share for one in APPLIANCES])
SPREAD: Floats = np.array([one.spread for one in APPLIANCES])
SCATTER_OF_USE: Floats = np.array([one.scatter_of_use for one in APPLIANCES])
OWNED: Floats = np.array([one.owned for one in APPLIANCES])
