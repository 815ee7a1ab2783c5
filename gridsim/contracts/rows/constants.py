"""Neighbouring fields that hardly ever change: one text per device, kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import UNITS, Batch, Roster
from gridsim.contracts.rows.layout import Around, RowLayout
from gridsim.helpers.randomness import Floats

CONSTANTS = frozenset(
    {
        "der_id",
        "project_id",
        "is_standalone",
        "type",
        "units",
        "nameplate_capacity",
        "contract_threshold",
        "connection_start_at",
    }
)
"""The fields that can be in a block."""

_EPOCH = np.datetime64(0, "ms")


class Constants:
    """A block of neighbouring fields of `CONSTANTS`.

    A device's text is made when the device first appears, and again when one of its values
    changes: all such devices of a batch at once, field by field.
    """

    def __init__(
        self, fields: Sequence[tuple[str, Around]], roster: Roster, layout: RowLayout
    ) -> None:
        self._fields = fields
        self._roster = roster
        self._layout = layout
        names = {name for name, _ in fields}
        self._has_threshold = "contract_threshold" in names
        self._has_connection = "connection_start_at" in names
        # Devices of one make have the same text: it is kept once.
        self._shared = names.isdisjoint(("der_id", "connection_start_at"))
        n = len(roster)
        self._texts = np.full(n, None, np.object_)
        # What the texts were made for. No row equals the first values.
        self._threshold: Floats = np.full(n, np.nan)
        self._connection_ms = np.zeros(n, np.int64)
        self._made = np.zeros(n, np.bool_)

    def texts(self, batch: Batch) -> list[bytes]:
        device = batch.device
        stale = ~self._made[device]
        if self._has_threshold:
            stale |= batch.contract_threshold != self._threshold[device]
        if self._has_connection:
            stale |= batch.connection_start_ms != self._connection_ms[device]
        texts = self._texts[device]
        if stale.any():
            rows = np.flatnonzero(stale)
            changed = device[rows]
            texts[rows] = self._texts[changed] = self._make(batch, rows)
            self._threshold[changed] = batch.contract_threshold[rows]
            self._connection_ms[changed] = batch.connection_start_ms[rows]
            self._made[changed] = True
        made: list[bytes] = texts.tolist()
        return made

    def _make(self, batch: Batch, rows: NDArray[np.intp]) -> list[bytes]:
        pieces: list[Iterable[str]] = []
        for name, around in self._fields:
            pieces += (repeat(around.before), self._values(name, batch, rows))
        pieces.append(repeat(self._fields[-1][1].after))
        texts = map("".join, zip(*pieces, strict=False))
        if not self._shared:
            return [text.encode() for text in texts]
        wanted = list(texts)
        known = {text: text.encode() for text in set(wanted)}
        return [known[text] for text in wanted]

    def _values(self, name: str, batch: Batch, rows: NDArray[np.intp]) -> list[str]:
        roster = self._roster
        device = batch.device[rows]
        match name:
            case "der_id":
                return self._quoted(roster.der_id, device)
            case "project_id":
                return self._quoted(roster.project_id, roster.project[device])
            case "type":
                return self._quoted(roster.type, device)
            case "units":
                return [self._layout.quote(UNITS)] * len(rows)
            case "is_standalone":
                return [boolean(value) for value in roster.is_standalone[roster.project[device]]]
            case "nameplate_capacity":
                return _two_decimals(roster.nameplate_capacity[device])
            case "contract_threshold":
                return _two_decimals(batch.contract_threshold[rows])
            case _:
                return self._stamps(batch.connection_start_ms[rows])

    def _quoted(self, texts: Sequence[str], index: NDArray[np.intp]) -> list[str]:
        wanted = [texts[i] for i in index.tolist()]
        quoted = {text: self._layout.quote(text) for text in set(wanted)}
        return [quoted[text] for text in wanted]

    def _stamps(self, times_ms: NDArray[np.int64]) -> list[str]:
        """What `rfc3339` writes, of all times at once."""
        stamps: list[str] = np.datetime_as_string(_EPOCH + times_ms, unit="ms").tolist()
        # All are quoted alike: there is nothing to escape in them.
        before, _, after = self._layout.quote(stamps[0]).partition(stamps[0])
        return [f"{before}{stamp}Z{after}" for stamp in stamps]


def boolean(value: object) -> str:
    return "true" if value else "false"


def _two_decimals(values: Floats) -> list[str]:
    return [f"{value:.2f}" for value in values.tolist()]
