"""The record as JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from pydantic import Field

from gridsim.api import (
    Batch,
    Format,
    Framing,
    Payloads,
    RecordSettings,
    Register,
    Roster,
    RowEncoder,
    RowLayout,
    choose_fields,
    hookimpl,
)

_MISSING_SOC = {"text": '"null"', "null": "null", "zero": "0.0", "omit": None}


class JsonSettings(RecordSettings):
    """Settings of the format `json`."""

    missing_soc: Literal["text", "null", "zero", "omit"] = Field(
        "text",
        description='value of current_soc where there is no storage: text is the string "null", '
        "null is JSON's null, zero is 0.0, omit leaves the field out",
    )


class Json(Format[JsonSettings]):
    """Compact JSON: an object per reading, or (framing `project`) an array per project."""

    Settings = JsonSettings
    is_json = True

    def __init__(self, settings: JsonSettings, framing: Framing, roster: Roster) -> None:
        super().__init__(settings, framing, roster)
        fields = choose_fields(settings, roster)
        layout = RowLayout(
            prefixes=[f"{_quote(field.name)}:" for field in fields],
            quote=_quote,
            missing_soc=_MISSING_SOC[settings.missing_soc],
            codes=settings.codes,
            missing=None,
            opening="{",
            closing="}",
        )
        self._rows = RowEncoder(fields, roster, layout)

    def encode(self, batch: Batch) -> Payloads:
        rows = self._rows.encode(batch)
        if self.framing == "der":
            return Payloads(rows, np.arange(len(rows) + 1))
        starts = batch.groups()
        bodies = [b"[%b]" % b",".join(rows[a:b]) for a, b in pairwise(starts.tolist())]
        return Payloads(bodies, starts)


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("json", Json)
