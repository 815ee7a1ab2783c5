"""The record: its fields and their selection by the user."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pydantic import Field as Setting

from gridsim.contracts.batch import ATTRIBUTES, Roster
from gridsim.contracts.codes import CodeForm
from gridsim.contracts.hints import choose_from
from gridsim.contracts.measurands import MEASURANDS
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
"""The fields of the record, in order."""

SEQUENCE = "seq"
"""The name of the field for the tick index."""


class RecordSettings(Settings):
    """The settings of formats whose record the user can change."""

    fields: list[str] | None = Setting(
        None,
        min_length=1,
        description="fields to write, in this order; unset: all fourteen",
    )
    extra_fields: list[str] = Setting(
        [],
        description=f"further fields, written last: {SEQUENCE} (the tick index), "
        "measurands such as energy_import_kwh, columns that a DER type declares, or "
        + ", ".join(ATTRIBUTES),
    )
    rename: dict[str, str] = Setting(
        {}, description="other names for fields: name of the field = name to write"
    )

    codes: CodeForm = Setting(
        "number",
        description="values of the measurands state and alarms: their numbers, or text: "
        "their names",
    )

    def chosen(self) -> list[str]:
        """Return the names of the fields to write, in order."""
        return [*(FIELDS if self.fields is None else self.fields), *self.extra_fields]


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field to write."""

    source: str
    """The source: one of `FIELDS`, `SEQUENCE`, or a column or an attribute of the roster."""
    name: str
    """The name in the payload."""


def choose_fields(settings: RecordSettings, roster: Roster) -> tuple[RecordField, ...]:
    """Return the fields to write, in order.

    It raises ValueError if a name is unknown, or if two fields would have the same name.
    """
    known = (*FIELDS, SEQUENCE, *dict.fromkeys((*roster.columns, *MEASURANDS, *ATTRIBUTES)))
    chosen = settings.chosen()
    for name in chosen:
        _check(name, known, "there is no field")
        if name in ATTRIBUTES and name not in roster.columns:
            roster.attribute(name)
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
        raise ValueError(f"{complaint} {name!r}{choose_from(name, known)}")
