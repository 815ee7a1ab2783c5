"""The record: its fields, and how a user chooses among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import Field as Setting

from gridsim.contracts.batch import Roster
from gridsim.contracts.settings import Settings

FIELDS = (
    "der_id",
    "is_online",
    "timestamp",
    "current_output",
    "power_meter_measurement",
    "baseline",
    "contract_threshold",
    "units",
    "project_id",
    "is_standalone",
    "connection_start_at",
    "current_soc",
    "type",
    "nameplate_capacity",
)
"""The record's fields, in order."""

SEQUENCE = "seq"
"""The name under which the tick index can be written."""


class RecordSettings(Settings):
    """The settings of formats that let the user give the record his own shape."""

    fields: list[str] | None = Setting(
        None,
        min_length=1,
        description="which fields are written, in which order; all fourteen if not given",
    )
    extra_fields: list[str] = Setting(
        [],
        description=f"further fields, written last: {SEQUENCE} (the tick index), or columns "
        "that a DER type declares",
    )
    rename: dict[str, str] = Setting(
        {}, description="other names for fields: the field's name = the name that is written"
    )


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field that is written."""

    source: str
    """One of `FIELDS`, `SEQUENCE`, or one of the roster's columns."""
    name: str
    """What it is called on the wire."""


def choose_fields(settings: RecordSettings, roster: Roster) -> tuple[RecordField, ...]:
    """The fields to write, in order.

    Raises ValueError if a name is unknown or two fields would bear the same name.
    """
    known = (*FIELDS, SEQUENCE, *roster.columns)
    chosen = [*(FIELDS if settings.fields is None else settings.fields), *settings.extra_fields]
    for name in chosen:
        _check(name, known, "there is no field")
    for name in settings.rename:
        _check(name, chosen, "rename: there is no written field")
    written = [settings.rename.get(name, name) for name in chosen]
    if "" in written:
        raise ValueError("rename: a field's name cannot be empty")
    twice = [name for name, count in Counter(written).items() if count > 1]
    if twice:
        raise ValueError(f"two fields would be written as {twice[0]!r}")
    return tuple(RecordField(*pair) for pair in zip(chosen, written, strict=True))


def _check(name: str, known: tuple[str, ...] | list[str], complaint: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        raise ValueError(f"{complaint} {name!r}; {hint}")
