"""A fault of a run, and its place after a reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gridsim.api import Fault, State
from gridsim.contracts.fault import is_instrument
from gridsim.contracts.results import Episode
from gridsim.simulation.faults.fault_schedule import FaultSchedule
from gridsim.simulation.scenario import FaultSpec


@dataclass(frozen=True, slots=True, eq=False)
class RunningFault:
    """A fault from its configuration or injection until it is forgotten."""

    fault: int
    number: int
    spec: FaultSpec
    schedule: FaultSchedule
    plugin: Fault
    injected: bool

    @property
    def is_instrument(self) -> bool:
        """True if it is a property of instruments that work, not an error."""
        return is_instrument(type(self.plugin))

    def counted(self, episodes: Sequence[Episode]) -> Sequence[Episode]:
        """Return the episodes, or none for a property of an instrument, which is not a fault."""
        return () if self.is_instrument else episodes


@dataclass(frozen=True, slots=True)
class Continued:
    """The places of a scenario's faults after a reload."""

    places: Mapping[str, tuple[int, int]]
    """The index and the number of each fault, by id."""
    count: int
    """The number of all faults of the run so far, those of the scenario included."""
    time_ms: int
    """The time from which new faults begin, UTC."""

    def as_data(self) -> State:
        """Return what a checkpoint keeps."""
        places = {id: [*place] for id, place in self.places.items()}
        return {"places": places, "count": self.count, "time_ms": self.time_ms}

    @classmethod
    def of(cls, data: State) -> Continued:
        """Return the places of a checkpoint."""
        places = {id: (fault, number) for id, (fault, number) in data["places"].items()}
        return cls(places, data["count"], data["time_ms"])
