"""`[checkpoint]`: the checkpoints of a run, and the keys by which one is matched to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from gridsim.api import Settings, Unit
from gridsim.config.settings.paths import OutputPath
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.tables.ledger import truth_tables
from gridsim.config.text.document import Document
from gridsim.contracts.shard import Shard, shard_of

if TYPE_CHECKING:
    from gridsim.config.configuration import Configuration

OnRecovery = Literal["skip", "republish"]

# More keys than these are compared by project, event or fault.
_MAX_KEYS: Final = 5_000
_OF_SIMULATION: Final = ("seed", "tick_s", "on_error", "measurands")


class CheckpointSettings(Settings):
    """The settings of `[checkpoint]`."""

    path: OutputPath = Field(
        "out/checkpoint",
        min_length=1,
        description="the folder with the checkpoints, relative to the folder of the "
        "configuration; `--resume` continues from there",
    )
    url: str = Field(
        "",
        description="place of a copy of the checkpoints, as fsspec names it, such as "
        "s3://bucket/run, from which `--resume` continues on another machine; each shard has a "
        "folder there; credentials come from the environment",
    )
    storage_options: dict[str, str | int | bool] = Field(
        {},
        description="further options of fsspec for the url, such as endpoint_url; no secrets",
    )
    every_s: Annotated[float, Unit("s")] = Field(
        60.0,
        ge=1.0,
        le=86_400.0,
        description="real time between two checkpoints, at any speed",
    )
    on_recovery: OnRecovery = Field(
        "skip",
        description="rule for a resumed run. skip: readings that were delivered, and those of the "
        "time in which the run was down, are not sent; republish: all readings since the "
        "checkpoint are sent, some of them a second time",
    )

    @field_validator("url")
    @classmethod
    def _with_scheme(cls, value: str, info: ValidationInfo) -> str:
        if value and "://" not in value:
            raise ValueError('must begin with a scheme, such as "s3://"; a folder is the path')
        if value and not all(part.strip("/") for part in value.split("://", 1)):
            raise ValueError('must name a place after the scheme, such as "s3://bucket/run"')
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError("must not have credentials: they come from the environment")
        return url_of_shard(value, shard_of(info))


def url_of_shard(url: str, shard: Shard) -> str:
    """Return the place of a shard's copy: a folder below a URL without the placeholder."""
    filled = shard.fill(url).rstrip("/")
    return filled if not filled or shard.has_own(filled) else f"{filled}/{shard.name}"


def read_checkpoint_table(findings: Findings, data: Mapping[str, Any]) -> CheckpointSettings | None:
    """Return the settings; None without `[checkpoint]`, or if there is a finding."""
    if "checkpoint" not in data:
        return None
    table = findings.table(data["checkpoint"], ("checkpoint",), "write [checkpoint]")
    if table is None:
        return None
    found = validate(findings, CheckpointSettings, table, ("checkpoint",), owner="[checkpoint]")
    return found.settings if found else None


def checkpoint_keys(
    document: Document, configuration: Configuration, plugins: Mapping[str, str]
) -> dict[str, str]:
    """Return a digest for each key that the simulation's state depends on.

    `plugins` are the identities of the plugins. Of transports only what they write counts, not
    where to.
    """
    values: dict[str, Any] = {
        f"simulation.{name}": getattr(configuration.simulation, name) for name in _OF_SIMULATION
    }
    # The time, because the driver of shards gives them a `start` of "now" as one.
    values["simulation.start"] = configuration.start_ms
    scenario = configuration.scenario
    values["--shard"] = document.shard.name
    values["ledger"] = configuration.ledger is not None
    values["ledger.rebound_s"] = scenario.rebound_ms
    for number, one in enumerate(configuration.transports):
        format_settings = one.format_settings.model_dump_json()
        values[f"transports.{number}"] = [one.name, one.framing]
        values[f"transports.{number}.format"] = [one.format_name, format_settings]
    for name, identity in plugins.items():
        values[f"the plugin {name}"] = identity
    tables: dict[str, Any] = {}
    for place, sheet in enumerate((document, *document.scenarios)):
        prefix = f"scenarios.{place - 1}." if place else ""
        tables |= {prefix + name: table for name, table in truth_tables(sheet).items()}
    leaves = dict(_leaves(tables, "", 32))
    if len(leaves) > _MAX_KEYS:
        leaves = dict(_leaves(tables, "", 2))
    return {key: _digest(value) for key, value in {**values, **leaves}.items()}


def _leaves(tree: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and value of each key, down to a depth."""
    if depth and isinstance(tree, dict) and tree:
        for name, value in tree.items():
            yield from _leaves(value, f"{path}.{name}" if path else name, depth - 1)
    elif depth and _is_array_of_tables(tree):
        for place, value in enumerate(tree):
            yield from _leaves(value, f"{path}.{place}", depth - 1)
    else:
        yield path, tree


def _is_array_of_tables(tree: Any) -> bool:
    is_array = isinstance(tree, Sequence) and not isinstance(tree, str)
    return is_array and bool(tree) and all(isinstance(one, dict) for one in tree)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
