"""The data by which a checkpoint is matched to its scenario."""

from __future__ import annotations

from gridsim.api import State, StateError
from gridsim.contracts.batch_serial import roster_fingerprint
from gridsim.simulation.scenario import Scenario


def identity_of(scenario: Scenario) -> State:
    """Return the data that a checkpoint keeps of its scenario."""
    return {
        "seed": scenario.draws.seed,
        "start_ms": scenario.start_ms,
        "tick_ms": scenario.tick_ms,
        "roster": roster_fingerprint(scenario.roster),
        "fleets": [spec.name for spec in scenario.fleets],
        "events": [spec.id for spec in scenario.events],
        "faults": [spec.id for spec in scenario.faults],
    }


def check_identity(state: State, scenario: Scenario) -> None:
    """Raise StateError if a simulation's state belongs to another scenario."""
    own, theirs = identity_of(scenario), state.get("scenario")
    if own != theirs:
        raise StateError(f"the checkpoint belongs to another scenario: {theirs}, not {own}")
