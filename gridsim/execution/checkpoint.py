"""Checkpoints: a simulation's state as bytes."""

from __future__ import annotations

from typing import Final

from gridsim.contracts.state import State
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes
from gridsim.errors import GridsimError
from gridsim.simulation.step import Simulation
from gridsim.version import __version__

FORM: Final = 2
"""The version of a checkpoint's content."""


class CheckpointError(GridsimError):
    """A checkpoint cannot be read, or is not one of this run."""


def checkpoint_bytes(simulation: Simulation, configuration: str) -> bytes:
    """Write a simulation's state, between two ticks; `configuration` is a fingerprint of it.

    Raises StateError, naming the plugin, if the state of a plugin cannot be kept.
    """
    return tree_to_bytes(
        {
            "checkpoint": FORM,
            "gridsim": __version__,
            "configuration": configuration,
            "state": simulation.state(),
        }
    )


def read_checkpoint(data: bytes, configuration: str) -> State:
    """Return the state in a checkpoint, for `Simulation.restore`; no code in it runs.

    Raises CheckpointError if the data is damaged, of another version of gridsim, or of another
    configuration.
    """
    try:
        tree = tree_from_bytes(data)
    except SerialError as error:
        raise CheckpointError(f"the checkpoint cannot be read: {error}") from error
    match tree:
        case {
            "checkpoint": int(form),
            "gridsim": str(version),
            "configuration": str(theirs),
            "state": dict(state),
        }:
            pass
        case _:
            raise CheckpointError("the data is not a checkpoint")
    if version != __version__ or form != FORM:
        raise CheckpointError(
            f"the checkpoint was written by gridsim {version}, and this is {__version__}: "
            "continue with the version that wrote it"
        )
    if theirs != configuration:
        raise CheckpointError(
            "the checkpoint is of another configuration: continue with the one that it was "
            "written with, or start a new run"
        )
    return state
