"""The transport of the ledger whose readings are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsim.errors import UsageError
from gridsim.ledger import Reader, TransportNote


@dataclass(frozen=True, slots=True)
class VerifyTarget:
    index: int
    note: TransportNote

    @property
    def format_settings(self) -> Mapping[str, Any]:
        settings: dict[str, Any] = json.loads(self.note.format_settings)
        return settings


def find_target(reader: Reader, name: str | None) -> VerifyTarget:
    """Return the transport of that name, or the only one. Raises UsageError."""
    notes = reader.transports()
    names = ", ".join(note.name for note in notes)
    if name is None:
        if len(notes) == 1:
            return VerifyTarget(0, notes[0])
        raise UsageError(
            f"{reader.path}: error: the run had several transports: {names}. "
            "Name the transport of your data with --transport"
        )
    for index, note in enumerate(notes):
        if note.name == name:
            return VerifyTarget(index, note)
    raise UsageError(f"--transport: error: the run had no transport {name!r}; it had: {names}")
