"""The cached texts of adjacent fields that rarely change, one text per device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import ATTRIBUTES, UNITS, Batch, Roster
from gridsim.contracts.rows.layout import Affixes, RowLayout
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
        *ATTRIBUTES,
    }
)
"""The fields that a block can contain."""

_EPOCH = np.datetime64(0, "ms")


class Constants:
    """A block of adjacent fields of `CONSTANTS`.

    The text of a device is made when the device first appears, and again when one of its values
    changes. All such devices of a batch are processed together, field by field.
    """

    def __init__(
        self, fields: Sequence[tuple[str, Affixes]], roster: Roster, layout: RowLayout
    ) -> None:
        self._fields = fields
        self._roster = roster
        self._layout = layout
        names = {name for name, _ in fields}
        self._has_threshold = "contract_threshold" in names
        self._has_connection = "connection_start_at" in names
        # Devices with equal values share one text object.
        self._shared = names.isdisjoint(("der_id", "connection_start_at", "serial"))
        n = len(roster)
        self._texts = np.full(n, None, np.object_)
        # The values in the cached texts. No row equals the initial values.
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
        for name, affixes in self._fields:
            if name in ATTRIBUTES:
                pieces.append(self._attributes(name, affixes, batch.device[rows]))
            else:
                pieces += (repeat(affixes.before), self._values(name, batch, rows))
        pieces.append(repeat(self._fields[-1][1].after))
        texts = map("".join, zip(*pieces, strict=False))
        if not self._shared:
            return [text.encode() for text in texts]
        rows_text = list(texts)
        known = {text: text.encode() for text in set(rows_text)}
        return [known[text] for text in rows_text]

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

    def _attributes(self, name: str, affixes: Affixes, device: NDArray[np.intp]) -> list[str]:
        """Return an attribute with the text before it, or the text for a missing value."""
        texts = self._roster.attributes[name]
        missing = self._layout.missing
        absent = "" if missing is None else affixes.before + missing
        given = [texts[row] for row in device.tolist()]
        return [affixes.before + self._layout.quote(text) if text else absent for text in given]

    def _quoted(self, texts: Sequence[str], index: NDArray[np.intp]) -> list[str]:
        chosen = [texts[i] for i in index.tolist()]
        quoted = {text: self._layout.quote(text) for text in set(chosen)}
        return [quoted[text] for text in chosen]

    def _stamps(self, times_ms: NDArray[np.int64]) -> list[str]:
        """Return the texts of `rfc3339` for all times at once, quoted."""
        stamps: list[str] = np.datetime_as_string(_EPOCH + times_ms, unit="ms").tolist()
        # Timestamps contain nothing to escape, so all get the same quotes.
        before, _, after = self._layout.quote(stamps[0]).partition(stamps[0])
        return [f"{before}{stamp}Z{after}" for stamp in stamps]


def boolean(value: object) -> str:
    return "true" if value else "false"


def _two_decimals(values: Floats) -> list[str]:
    return [f"{value:.2f}" for value in values.tolist()]
