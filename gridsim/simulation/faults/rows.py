"""Rows of labelled readings, and the rows that are held back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Labels, Roster, State, StateError
from gridsim.contracts.batch_serial import batch_from_state, batch_state
from gridsim.contracts.state import state_of
from gridsim.simulation.batch import read_only

# Parts of more rows are not merged: one more part costs less than the tick that merges two.
_LARGE = 200_000

Places = NDArray[np.intp]
Mask = NDArray[np.bool_]

_APART = ("roster", "extra", "number", "labels")
_COLUMNS = [f.name for f in fields(Batch) if f.name not in _APART]
_LABELS = [f.name for f in fields(Labels)]
_MESSAGES = ("copies", "due_ms")


@dataclass(frozen=True, slots=True, eq=False)
class MessageRows:
    """Labelled readings, and the number and due time of their messages."""

    batch: Batch
    copies: NDArray[np.int8]
    due_ms: NDArray[np.int64]
    """The time at which a delayed message arrives, UTC; 0 for other messages."""

    def __len__(self) -> int:
        return len(self.batch)

    def pick(self, rows: Places) -> MessageRows:
        return MessageRows(pick(self.batch, rows), self.copies[rows], self.due_ms[rows])

    def where(self, mask: Mask) -> MessageRows:
        return self if mask.all() else self.pick(np.flatnonzero(mask))


def fresh(batch: Batch) -> MessageRows:
    """Return rows for readings that were just taken."""
    n = len(batch)
    return MessageRows(batch, np.ones(n, np.int8), np.zeros(n, np.int64))


def pick(batch: Batch, rows: Places) -> Batch:
    """Return the rows with these indices, in this order."""
    labels = batch.labels
    assert labels is not None
    columns: dict[str, Any] = {name: read_only(getattr(batch, name)[rows]) for name in _COLUMNS}
    columns["extra"] = {name: read_only(column[rows]) for name, column in batch.extra.items()}
    columns["labels"] = Labels(*(read_only(getattr(labels, name)[rows]) for name in _LABELS))
    return replace(batch, **columns)


def joined(parts: Sequence[MessageRows]) -> MessageRows:
    """Return the rows of all parts, one part after the other; there must be at least one."""
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    copies = np.concatenate([part.copies for part in parts])
    due_ms = np.concatenate([part.due_ms for part in parts])
    return MessageRows(_joined([part.batch for part in parts]), copies, due_ms)


def in_order(rows: MessageRows) -> MessageRows:
    """Sort rows: oldest first, and in configuration order within a tick."""
    order = np.lexsort((rows.batch.device, rows.batch.tick))
    return rows if (order[1:] > order[:-1]).all() else rows.pick(order)


def repeated(rows: MessageRows) -> MessageRows:
    """Return the same rows, labelled as copies."""
    copy = np.ones(len(rows), np.bool_)
    return replace(rows, batch=labelled(rows.batch, copy=copy))


def everything(rows: MessageRows) -> Mask:
    return np.ones(len(rows), np.bool_)


def locked(batch: Batch) -> Batch:
    """Return the same batch, read-only."""
    assert batch.labels is not None
    for part, names in ((batch, _COLUMNS), (batch.labels, _LABELS)):
        for name in names:
            read_only(getattr(part, name))
    return batch


def labelled(batch: Batch, **columns: NDArray[Any]) -> Batch:
    """Return the batch with some of its labels replaced."""
    assert batch.labels is not None
    return replace(batch, labels=replace(batch.labels, **columns))


@dataclass(slots=True, eq=False)
class _Part:
    """Waiting rows, and some that were taken: they stay a while, so that taking few is cheap."""

    rows: MessageRows
    waits: Mask
    left: int
    """The number of rows that wait."""

    @classmethod
    def of(cls, rows: MessageRows) -> _Part:
        return cls(rows, np.ones(len(rows), np.bool_), len(rows))

    def take(self, found: Places) -> MessageRows:
        self.waits[found] = False
        self.left -= len(found)
        taken = self.rows.pick(found)
        if 2 * self.left < len(self.rows):
            self.rows = self.remaining()
            self.waits = np.ones(self.left, np.bool_)
        return taken

    def remaining(self) -> MessageRows:
        return self.rows.where(self.waits)


class Held:
    """Waiting rows, in few parts: two of similar size are merged, so that adding is cheap."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self.count = np.zeros(len(roster), np.int64)
        """The number of waiting rows of each device."""
        self._parts: list[_Part] = []

    def state(self) -> State:
        """Return what a checkpoint keeps: the rows that still wait, in their order."""
        remaining = (part.remaining() for part in self._parts)
        return {
            "parts": [
                {"batch": batch_state(rows.batch), **state_of(rows, _MESSAGES)}
                for rows in remaining
            ]
        }

    def restore(self, state: State) -> None:
        """Continue from a checkpoint's state."""
        self._parts = []
        for part in state["parts"]:
            batch = batch_from_state(part["batch"], self._roster)
            if batch.labels is None:
                raise StateError("waiting rows in the checkpoint have no labels")
            rows = MessageRows(batch, np.array(part["copies"]), np.array(part["due_ms"]))
            self._parts.append(_Part.of(rows))
        every = [part.rows.batch.device for part in self._parts]
        device = np.concatenate(every) if every else np.empty(0, np.intp)
        self.count[:] = np.bincount(device, minlength=len(self.count))

    @property
    def faults(self) -> np.uint64:
        """The labels of all rows that wait, combined."""
        combined = np.uint64(0)
        for part in self._parts:
            labels = part.remaining().batch.labels
            assert labels is not None
            combined |= np.bitwise_or.reduce(labels.faults)
        return combined

    def add(self, rows: MessageRows) -> None:
        if not len(rows):
            return
        np.add.at(self.count, rows.batch.device, 1)
        self._parts.append(_Part.of(rows))
        while len(self._parts) > 1 and self._parts[-2].left <= min(
            2 * self._parts[-1].left, _LARGE
        ):
            last = self._parts.pop()
            both = joined((self._parts[-1].remaining(), last.remaining()))
            self._parts[-1] = _Part.of(both)

    def take(self, which: Callable[[MessageRows], Mask]) -> list[MessageRows]:
        """Remove and return the waiting rows in the mask `which(rows)`, in order of arrival."""
        taken = []
        for part in self._parts:
            found = np.flatnonzero(which(part.rows) & part.waits)
            if len(found):
                taken.append(part.take(found))
                np.subtract.at(self.count, taken[-1].batch.device, 1)
        self._parts = [part for part in self._parts if part.left]
        return taken

    def take_of(self, device: Places) -> list[MessageRows]:
        """Remove and return the waiting rows of these devices, in order of arrival."""
        if not self.count[device].any():
            return []
        chosen = np.zeros(len(self.count), np.bool_)
        chosen[device] = True
        return self.take(lambda rows: chosen[rows.batch.device])


def _joined(batches: Sequence[Batch]) -> Batch:
    labels = [batch.labels for batch in batches if batch.labels is not None]
    columns: dict[str, Any] = {
        name: read_only(np.concatenate([getattr(batch, name) for batch in batches]))
        for name in _COLUMNS
    }
    columns["extra"] = {
        name: read_only(np.concatenate([batch.extra[name] for batch in batches]))
        for name in batches[0].extra
    }
    columns["labels"] = Labels(
        *(read_only(np.concatenate([getattr(one, name) for one in labels])) for name in _LABELS)
    )
    return replace(batches[0], **columns)
