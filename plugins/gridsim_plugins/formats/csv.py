"""The record as CSV."""

from __future__ import annotations

import re
from typing import Literal

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

_MISSING_SOC = {"empty": "", "zero": "0.0"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')


class CsvSettings(RecordSettings):
    """Settings of the format `csv`."""

    missing_soc: Literal["empty", "zero"] = Field(
        "empty",
        description="value of current_soc where there is no storage: empty, or zero",
    )

    formulas: Literal["as_is", "quoted"] = Field(
        "as_is",
        description="texts that begin with =, +, -, @, a tab or a carriage return, which "
        "spreadsheets take for formulas: as they are, or with an apostrophe before them",
    )


class Csv(Format[CsvSettings]):
    """Comma-separated values by RFC 4180: a line per reading, without its line break."""

    Settings = CsvSettings

    def __init__(self, settings: CsvSettings, framing: Framing, roster: Roster) -> None:
        if framing == "project":
            raise ValueError("csv has a line per DER: framing must be der, not project")
        super().__init__(settings, framing, roster)
        fields = choose_fields(settings, roster)
        self.header = ",".join(_quote(field.name) for field in fields).encode()
        layout = RowLayout(
            prefixes=[""] * len(fields),
            quote=_quote_formula if settings.formulas == "quoted" else _quote,
            missing_soc=_MISSING_SOC[settings.missing_soc],
            codes=settings.codes,
            missing="",
        )
        self._rows = RowEncoder(fields, roster, layout)

    def encode(self, batch: Batch) -> Payloads:
        rows = self._rows.encode(batch)
        return Payloads(rows, np.arange(len(rows) + 1))


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _quote_formula(text: str) -> str:
    return _quote(f"'{text}" if text.startswith(_FORMULA) else text)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("csv", Csv)
