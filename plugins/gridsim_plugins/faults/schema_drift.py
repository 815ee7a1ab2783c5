"""The fault `schema_drift`: a firmware that writes another record."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

import msgspec
from pydantic import Field

from gridsim.api import Members, MessageEffects, MessageFault, Register, Settings, Tick, hookimpl

Record = dict[str, msgspec.Raw]


class SchemaDriftSettings(Settings):
    change: Literal["missing", "renamed", "wrong_type"] = Field(
        "renamed",
        description="missing: the field is not there; renamed: it bears another name; "
        "wrong_type: numbers and booleans become strings, strings null",
    )
    field: str = Field("current_output", description="which field, by the name that is written")
    renamed_to: str = Field("currentOutput", min_length=1, description="the name for renamed")


class SchemaDrift(MessageFault):
    """One field of the record is missing, renamed or of another type; the rest stays as it is,
    to the byte. Of JSON only; an array of records drifts as a whole."""

    Settings = SchemaDriftSettings

    def __init__(self, members: Members[Any]) -> None:
        super().__init__(members)
        settings = members.settings[0]
        self._change, self._field = settings.change, settings.field
        self._renamed_to = settings.renamed_to

    def check(self, format: str, json_fields: Sequence[str]) -> None:
        if not json_fields:
            raise ValueError(
                f"changes fields of JSON, and a transport of this run writes {format}: "
                "leave one of them out"
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
        # Raw keeps every value as it was written, decimals included.
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
