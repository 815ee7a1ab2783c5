"""The true reduction of an event, from a copy of the simulation without the event."""

from gridsim.simulation.counterfactual.counterfactuals import (
    MAX_BRANCHES,
    Counterfactuals,
    counterfactual_sites,
)

__all__ = ["MAX_BRANCHES", "Counterfactuals", "counterfactual_sites"]
