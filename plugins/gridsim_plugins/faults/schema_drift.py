"""The fault `schema_drift`: a firmware that writes a different record."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

import msgspec
from pydantic import Field

from gridsim.api import MessageEffects, MessageFault, Register, Settings, Tick, hookimpl

Record = dict[str, msgspec.Raw]


class SchemaDriftSettings(Settings):
    """Settings of the fault `schema_drift`."""

    change: Literal["missing", "renamed", "wrong_type"] = Field(
        "renamed",
        description="missing: the field is left out; renamed: it has another name; "
        "wrong_type: numbers and booleans become strings, strings null",
    )
    field: str = Field("current_output", description="the field, by its name in the record")
    renamed_to: str = Field("currentOutput", min_length=1, description="for renamed: the new name")


class SchemaDrift(MessageFault[SchemaDriftSettings]):
    """Records in which one field is missing, renamed or of another type.

    The other fields keep their bytes. It works on JSON only; in an array, every record changes.
    """

    Settings = SchemaDriftSettings
    kept = ()

    @classmethod
    def check(cls, settings: SchemaDriftSettings, format: str, json_fields: Sequence[str]) -> None:
        if not json_fields:
            raise ValueError(
                f"changes fields of JSON, but a transport of this run writes {format}: "
                "remove the fault or that transport"
            )
        if settings.field not in json_fields:
            near = get_close_matches(settings.field, json_fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(json_fields)}"
            raise ValueError(f"has a field that is not written, {settings.field!r}; {hint}")
        if settings.change == "renamed" and settings.renamed_to in json_fields:
            raise ValueError(f"would rename a field to another field, {settings.renamed_to!r}")

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.altered[:] = True

    @classmethod
    def alter(cls, settings: SchemaDriftSettings, body: bytes, chance: float) -> bytes:
        # Raw keeps the bytes of every value, decimals included.
        if body.startswith(b"["):
            records = msgspec.json.decode(body, type=list[Record])
            return msgspec.json.encode([_drifted(settings, record) for record in records])
        return msgspec.json.encode(_drifted(settings, msgspec.json.decode(body, type=Record)))


def _drifted(settings: SchemaDriftSettings, record: Record) -> Record:
    field = settings.field
    if settings.change == "wrong_type":
        return {name: _mistyped(raw) if name == field else raw for name, raw in record.items()}
    return {
        settings.renamed_to if name == field else name: raw
        for name, raw in record.items()
        if name != field or settings.change == "renamed"
    }


def _mistyped(value: msgspec.Raw) -> msgspec.Raw:
    text = bytes(value)
    return msgspec.Raw(b"null" if text.startswith(b'"') else b'"%b"' % text)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("schema_drift", SchemaDrift)
