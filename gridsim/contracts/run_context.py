"""The run that a transport, source or probe serves, as far as a plugin may know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gridsim.contracts.batch import Roster


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """What a transport may know of the run it serves."""

    roster: Roster
    start_ms: int
    """The simulation's start, UTC."""
    embedded_broker: Callable[[int], tuple[str, int]]
    """Starts the run's embedded MQTT broker at the wished port, if it is not yet running,
    and returns the host and port where it listens. One broker serves all who ask."""
