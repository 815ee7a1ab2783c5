"""How the contract tests hand an object's state to an object that was made anew."""

from __future__ import annotations

from gridsim.api import State, Stateful
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes


def resume(made_anew: Stateful, other: Stateful) -> None:
    """Give the state of `other` to `made_anew`, by way of the bytes of a checkpoint."""
    read = tree_from_bytes(tree_to_bytes(other.state()))
    assert isinstance(read, dict)
    state: State = read
    made_anew.restore(state)
