"""The serial form of a batch: its columns, and a fingerprint of its roster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import COLUMNS, Batch, Labels, Roster
from gridsim.contracts.state import State, Tree
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes

_LABELS: Final = tuple(field.name for field in fields(Labels))
# In the serial form. In memory `device` is intp, whose size depends on the machine.
_TYPES: Final = {
    "device": "int64",
    "tick": "int64",
    "timestamp_ms": "int64",
    "connection_start_ms": "int64",
    "is_online": "bool",
    "faults": "uint64",
    "altered": "int32",
    "copy": "bool",
}
_OTHERS: Final = "float64"


def roster_fingerprint(roster: Roster) -> str:
    """Return a digest of all data of a roster; equal rosters have equal digests."""
    digest = blake2b(digest_size=16)
    for texts in (roster.der_id, roster.type, roster.project_id, *roster.columns.items()):
        digest.update(repr(list(texts)).encode(errors="surrogatepass"))
    for name, texts in roster.attributes.items():
        digest.update(repr([name, *texts]).encode(errors="surrogatepass"))
    for array, kind in (
        (roster.project, "<i8"),
        (roster.nameplate_capacity, "<f8"),
        (roster.is_standalone, "?"),
    ):
        digest.update(np.ascontiguousarray(array, kind).tobytes())
    return digest.hexdigest()


def batch_state(batch: Batch) -> State:
    """Return a batch's columns as a tree, without its roster."""
    labels: Tree = None
    if batch.labels is not None:
        labels = {name: _out(name, getattr(batch.labels, name)) for name in _LABELS}
    return {
        "number": batch.number,
        "columns": {name: _out(name, getattr(batch, name)) for name in COLUMNS},
        "extra": {name: _out("", column) for name, column in batch.extra.items()},
        "labels": labels,
    }


def batch_from_state(state: Tree, roster: Roster) -> Batch:
    """Return the batch of a tree, read-only. Raises SerialError if it does not fit the roster."""
    match state:
        case {
            "number": int(number),
            "columns": dict(columns),
            "extra": dict(extra),
            "labels": dict() | None as labels,
        }:
            pass
        case _:
            raise SerialError("the data is not a batch")
    place = columns.get("device")
    n = place.size if isinstance(place, np.ndarray) else 0
    made = _read(columns, COLUMNS, n)
    device = made["device"]
    if n and not 0 <= device.min() <= device.max() < len(roster):
        raise SerialError("the batch has a row of a device that is not in the roster")
    return Batch(
        roster=roster,
        extra=_read(extra, extra.keys() & roster.columns.keys(), n),
        number=number,
        labels=None if labels is None else Labels(**_read(labels, _LABELS, n)),
        **made,
    )


class BatchSerial:
    """A writer and reader of the batches of one roster."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._fingerprint = roster_fingerprint(roster)

    def to_bytes(self, batch: Batch) -> bytes:
        """Write a batch. Raises SerialError if it has another roster."""
        if batch.roster is not self._roster:
            self._check(roster_fingerprint(batch.roster))
        return tree_to_bytes({"roster": self._fingerprint, **batch_state(batch)})

    def from_bytes(self, data: bytes) -> Batch:
        """Read a batch. Raises SerialError if the data is damaged or of another roster."""
        tree = tree_from_bytes(data)
        if not isinstance(tree, dict) or not isinstance(tree.get("roster"), str):
            raise SerialError("the data is not a batch")
        self._check(str(tree.pop("roster")))
        return batch_from_state(tree, self._roster)

    def _check(self, fingerprint: str) -> None:
        if fingerprint != self._fingerprint:
            raise SerialError(
                f"the batch is of another roster ({fingerprint}) than this run's "
                f"({self._fingerprint}): the configurations differ in their devices"
            )


def _out(name: str, column: NDArray[Any]) -> NDArray[Any]:
    return column.astype(_TYPES.get(name, _OTHERS), copy=False)


def _read(columns: State, names: Iterable[str], n: int) -> dict[str, NDArray[Any]]:
    """Return the columns, read-only; their names must be `names`. Raises SerialError."""
    wanted = sorted(names)
    if sorted(columns) != wanted:
        raise SerialError(f"the batch has the columns {sorted(columns)}, not {wanted}")
    made = {}
    for name, column in columns.items():
        kind = np.dtype(_TYPES.get(name, _OTHERS))
        if not isinstance(column, np.ndarray) or column.dtype != kind or column.shape != (n,):
            raise SerialError(f"the batch's column {name} is not one of {n} values of {kind}")
        made[name] = column.astype(np.intp if name == "device" else kind)
        made[name].flags.writeable = False
    return made
