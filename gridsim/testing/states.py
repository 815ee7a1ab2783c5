"""The transfer of an object's state to a new object, for the contract tests."""

from __future__ import annotations

from gridsim.api import State, Stateful
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes


def state_bytes(one: Stateful) -> bytes:
    """Return the state of an object as a checkpoint keeps it."""
    return tree_to_bytes(one.state())


def resume(new: Stateful, other: Stateful) -> None:
    """Give the state of `other` to `new`, through the bytes of a checkpoint."""
    read = tree_from_bytes(state_bytes(other))
    assert isinstance(read, dict)
    state: State = read
    new.restore(state)
