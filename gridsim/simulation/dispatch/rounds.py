"""The rounds in which flexible fleets step.

First those that may draw, then those that only produce, then types that balance sites, generators
before batteries. Each round compensates for the actual output of the rounds before.
"""

from __future__ import annotations

from typing import TypeAlias

from gridsim.api import Capability
from gridsim.simulation.fleets import RunningFleet

Able: TypeAlias = tuple[RunningFleet, Capability]
"""A flexible fleet, and its capability in the tick."""

DRAWS, PRODUCES, BACKS, LAST = range(4)
"""The rounds."""


def round_of(fleet: RunningFleet, able: Capability) -> int:
    """Return the round in which a fleet steps."""
    if fleet.steps_last:
        return LAST if fleet.stores else BACKS
    return PRODUCES if (able.min_kw >= 0.0).all() else DRAWS
