"""The fault `schema_drift`: a firmware that writes a different record."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

import msgspec
from pydantic import Field

from gridsim.api import Members, MessageEffects, MessageFault, Register, Settings, Tick, hookimpl

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

    def __init__(self, members: Members[SchemaDriftSettings]) -> None:
        super().__init__(members)
        settings = members.settings[0]
        self._change, self._field = settings.change, settings.field
        self._renamed_to = settings.renamed_to

    def check(self, format: str, json_fields: Sequence[str]) -> None:
        if not json_fields:
            raise ValueError(
                f"changes fields of JSON, but a transport of this run writes {format}: "
                "remove the fault or that transport"
            )
        if self._field not in json_fields:
            near = get_close_matches(self._field, json_fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(json_fields)}"
            raise ValueError(f"has a field that is not written, {self._field!r}; {hint}")
        if self._change == "renamed" and self._renamed_to in json_fields:
            raise ValueError(f"would rename a field to another field, {self._renamed_to!r}")

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.altered[:] = True

    def alter(self, body: bytes, chance: float) -> bytes:
        # Raw keeps the bytes of every value, decimals included.
        if body.startswith(b"["):
            records = msgspec.json.decode(body, type=list[Record])
            return msgspec.json.encode([self._drifted(record) for record in records])
        return msgspec.json.encode(self._drifted(msgspec.json.decode(body, type=Record)))

    def _drifted(self, record: Record) -> Record:
        if self._change == "wrong_type":
            return {
                name: _mistyped(value) if name == self._field else value
                for name, value in record.items()
            }
        return {
            self._renamed_to if name == self._field else name: value
            for name, value in record.items()
            if name != self._field or self._change == "renamed"
        }


def _mistyped(value: msgspec.Raw) -> msgspec.Raw:
    text = bytes(value)
    return msgspec.Raw(b"null" if text.startswith(b'"') else b'"%b"' % text)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("schema_drift", SchemaDrift)
