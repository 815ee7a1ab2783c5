"""Checkpoints: a simulation's state, and the run that it belongs to, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gridsim.contracts.state import State
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes
from gridsim.errors import UsageError
from gridsim.version import __version__

FORM: Final = 3
"""The version of a checkpoint's content."""
# The number of differing keys that an error names.
_NAMED = 8


class CheckpointError(UsageError):
    """A checkpoint cannot be read, or is not one of this run."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts of a run that a checkpoint keeps besides its state."""

    run: str = ""
    """The run's id, which its ledger has, too."""
    start_ms: int = 0
    """The simulation's start, UTC."""
    readings: int = 0
    """The number of readings before the checkpoint."""
    transports: Sequence[str] = ()
    """The names of the transports, in the order of the progress file."""
    ledger: str = ""
    """The absolute path of the ledger; "" without one."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """The number of rows of the ledger's tables that have no column with the tick."""
    board: State = field(default_factory=dict)
    """The counts of the run's status."""
    altering: Sequence[Sequence[Any]] = ()
    """The injected faults that alter messages: index, name and settings as JSON."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint: the state between two ticks."""

    keys: Mapping[str, str]
    """A digest of each key of the configuration that the simulation depends on."""
    facts: RunFacts
    state: State

    @property
    def tick(self) -> int:
        """The index of the tick that comes next."""
        return int(self.state["next_tick"])


def checkpoint_bytes(state: State, keys: Mapping[str, str], facts: RunFacts) -> bytes:
    """Write a simulation's state, taken between two ticks. Raises SerialError."""
    # A tuple is not a part of a tree.
    lists: dict[str, Any] = {
        "transports": [*facts.transports],
        "altering": [[*one] for one in facts.altering],
    }
    return tree_to_bytes(
        {
            "checkpoint": FORM,
            "gridsim": __version__,
            "keys": dict(keys),
            "facts": asdict(facts) | lists,
            "state": state,
        }
    )


def read_checkpoint(data: bytes) -> Checkpoint:
    """Return a checkpoint; no code in it runs.

    Raises CheckpointError if the data is damaged, or of another version of gridsim.
    """
    try:
        tree = tree_from_bytes(data)
    except SerialError as error:
        raise CheckpointError(f"the checkpoint cannot be read: {error}") from error
    match tree:
        case {"checkpoint": int(form), "gridsim": str(version)}:
            pass
        case _:
            raise CheckpointError("the data is not a checkpoint")
    if version != __version__ or form != FORM:
        raise OtherVersionError(
            f"the checkpoint was written by gridsim {version}, form {form}, and this is "
            f"{__version__}, form {FORM}: continue with the version that wrote it"
        )
    match tree:
        case {"keys": dict(found), "facts": dict(facts), "state": dict(state)}:
            keys = {name: digest for name, digest in found.items() if isinstance(digest, str)}
        case _:
            raise CheckpointError("the data is not a checkpoint")
    if len(keys) < len(found):
        raise CheckpointError("the data is not a checkpoint")
    tick = state.get("next_tick")
    if not isinstance(tick, int) or tick < 0:
        raise CheckpointError("the checkpoint does not have the tick that comes next")
    return Checkpoint(keys, _facts(facts), state)


class OtherVersionError(CheckpointError):
    """The checkpoint is whole, but of another version of gridsim."""


def differing(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """Return the keys whose values differ between two configurations, by their digests."""
    return sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))


def check_keys(checkpoint: Checkpoint, ours: Mapping[str, str]) -> None:
    """Raise CheckpointError, naming the differing keys, if the configuration is another one."""
    keys = differing(checkpoint.keys, ours)
    if keys:
        named = ", ".join(keys[:_NAMED])
        more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
        raise CheckpointError(
            f"the checkpoint is of another configuration, which differs in {named}{more}; "
            "continue with the configuration that it was written with, or start a new run"
        )


_TYPES: Final[Mapping[str, type]] = {
    "run": str,
    "start_ms": int,
    "readings": int,
    "transports": list,
    "ledger": str,
    "positions": dict,
    "board": dict,
    "altering": list,
}


def _facts(tree: Mapping[str, Any]) -> RunFacts:
    if tree.keys() != _TYPES.keys() or any(
        not isinstance(tree[name], kind) or isinstance(tree[name], bool)
        for name, kind in _TYPES.items()
    ):
        raise CheckpointError("the checkpoint does not have the facts of its run")
    facts = RunFacts(**tree)
    if not all(isinstance(name, str) for name in facts.transports) or not all(
        isinstance(count, int) and count >= 0 for count in facts.positions.values()
    ):
        raise CheckpointError("the checkpoint does not have the facts of its run")
    return facts
