"""The record's fields, and the user's names for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gridsim.contracts.hints import choose_from
from gridsim.contracts.record import FIELDS as FIELDS
from gridsim.contracts.record import SEQUENCE
from gridsim.errors import UsageError

SEQ: Final = SEQUENCE
RECEIVED: Final = "received"
"""The time at which the user's system received the reading; not a field of the record."""
TIMES: Final = ("timestamp", "connection_start_at", RECEIVED)
"""The fields that are times."""
BIT: Final = {name: 1 << index for index, name in enumerate((*FIELDS, SEQ))}
"""The bit of each field in masks."""


def parse_names(pairs: Sequence[str], received_at: str | None) -> dict[str, str]:
    """Parse options such as `--field der_id=device`: our names to the user's. Raises UsageError."""
    names: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs:
            raise UsageError(f"--field: error: {pair!r} is not of the form der_id=device")
        if ours not in (*FIELDS, SEQ):
            hint = choose_from(ours, (*FIELDS, SEQ))
            raise UsageError(f"--field: error: the record has no field {ours!r}{hint}")
        names[ours] = theirs
    if received_at is not None:
        names[RECEIVED] = received_at
    return names


def wire_names(settings: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return each field's name in the user's data: the given one, or the name that the format
    writes. `seq` is among them only if the format writes it, or if it is given.
    """
    renamed: Mapping[str, str] = settings.get("rename") or {}
    counted = SEQ in (settings.get("extra_fields") or ())
    names = {name: renamed.get(name, name) for name in (*FIELDS, *((SEQ,) if counted else ()))}
    return {**names, **given}


def sent_fields(settings: Mapping[str, Any]) -> list[str]:
    """Return the fields that the format writes and the ledger has."""
    chosen = settings.get("fields") or FIELDS
    extra = settings.get("extra_fields") or ()
    return [name for name in (*FIELDS, SEQ) if name in chosen or name in extra]
