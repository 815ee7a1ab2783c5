"""`[ledger]`: the ledger of a run and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from gridsim.api import Settings, Unit
from gridsim.config.settings.paths import PartPath
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.text.document import Document
from gridsim.config.text.locate import KeyPath

TRUTH: Final = ("site", "weather", "projects", "events", "faults")
"""The tables that the true values of a run depend on."""


class LedgerSettings(Settings):
    """The settings of `[ledger]`."""

    path: PartPath = Field(
        "out/ledger.sqlite",
        min_length=1,
        description="the file with the truth about the run, relative to the folder of the "
        "configuration; may contain {shard}, see --shard",
    )
    overwrite: bool = Field(
        False,
        description="true: replace the ledger of an earlier run; false: refuse to run",
    )
    counterfactual: bool = Field(
        True,
        description="true: measure the true reduction and the rebound of each event, with a "
        "copy of the simulation that continues without it; at most doubles the simulation's "
        "cost during events",
    )
    rebound_s: Annotated[float, Unit("s")] = Field(
        600.0,
        ge=0.0,
        le=86_400.0,
        description="time after an event over which its rebound is measured",
    )


def read_ledger(findings: Findings, data: Mapping[str, Any]) -> LedgerSettings | None:
    """Return the settings of the ledger; None without `[ledger]`, or if there is a finding."""
    if "ledger" not in data:
        return None
    table = findings.table(data["ledger"], ("ledger",), "write [ledger]")
    if table is None:
        return None
    found = validate(findings, LedgerSettings, table, ("ledger",), owner="[ledger]")
    return found.settings if found else None


def truth_tables(document: Document) -> dict[str, Any]:
    """Return the tables that the truth depends on, without secrets."""
    return {
        name: _without(document.data[name], (name,), document.secrets)
        for name in TRUTH
        if name in document.data
    }


def fingerprint(document: Document) -> str:
    """Return the hexadecimal SHA-256 of the tables that the truth depends on.

    Seed, start, tick and secrets are not included."""
    tables = [truth_tables(one) for one in (document, *document.scenarios)]
    text = json.dumps(tables, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _without(value: Any, path: KeyPath, secrets: Collection[KeyPath]) -> Any:
    """Return a value of a document without the secrets in it."""
    if isinstance(value, dict):
        inner = {key: ((*path, key), one) for key, one in value.items()}
        return {
            k: _without(one, at, secrets) for k, (at, one) in inner.items() if at not in secrets
        }
    if isinstance(value, list):
        return [_without(one, (*path, index), secrets) for index, one in enumerate(value)]
    return value
