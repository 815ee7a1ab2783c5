"""Settings: the options of a plugin, with units."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema
from typing_extensions import TypeVar

from gridsim.contracts.shard import shard_of


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a setting: `tilt: Annotated[float, Unit("deg")] = 30.0`."""

    name: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-unit": self.name}


@dataclass(frozen=True, slots=True)
class NameOf:
    """The kind of plugin that a setting names."""

    kind: str


DerTypeName = Annotated[str, NameOf("der")]
"""A setting, or an item of one, that names a DER type: in a configuration it must exist."""

FOLDER = "folder"
"""The key of the configuration's folder in the context of a validation."""

_PLACEHOLDER = re.compile(r"(?<!\{)(?:\{\{)*\{(?!\{)")
_UPWARDS = re.compile(r"(?:\.{1,2}(?:/+|$))*")


def _located(path: str, info: ValidationInfo) -> str:
    return in_folder((info.context or {}).get(FOLDER, ""), shard_of(info).fill(path))


def _located_template(path: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get(FOLDER, "")
    path = shard_of(info).fill(path)
    if info.context is not None and not os.path.isabs(path):
        _check_inside(folder, path)
    return in_folder(folder, path, lambda text: text.replace("{", "{{").replace("}", "}}"))


def _check_inside(folder: str, path: str) -> None:
    """Raise ValueError if the folder before the first placeholder of a relative path is elsewhere.

    `..` at the beginning of the path is what the author wants; a link, or `..` after a name, may
    lead to a place that the path does not show.
    """
    steps = _UPWARDS.match(path)
    upwards = steps[0] if steps else ""
    base = os.path.realpath(os.path.join(folder, upwards) or os.curdir)
    literal = _PLACEHOLDER.split(path[len(upwards) :], maxsplit=1)[0]
    literal = os.path.dirname(literal.replace("{{", "{").replace("}}", "}"))
    real = os.path.realpath(os.path.join(base, literal))
    if os.path.commonpath([base, real]) != base:
        raise ValueError(
            f"leads out of {base}, to {real}; if it is meant, write that folder as an absolute path"
        )


def _own_name(name: str, info: ValidationInfo) -> str:
    shard = shard_of(info)
    filled = shard.fill(name)
    return filled if not name or shard.has_own(filled) else f"{filled}-{shard.name}"


_LOCATED = AfterValidator(_located)
_LOCATED_TEMPLATE = AfterValidator(_located_template)
LocalPath = Annotated[str, Field(validate_default=True), _LOCATED]
"""A setting that is a path: in a configuration it is relative to the configuration's folder.

The placeholder `{shard}` is the number of a shard of the run, such as `0-of-4`."""

LocalPathTemplate = Annotated[str, Field(validate_default=True), _LOCATED_TEMPLATE]
"""A `LocalPath` with placeholders in braces; the braces of the folder's own name are doubled.

In a configuration a relative path stays under its folder, or under the one that `..` at its
beginning names: links and later `..` must not lead out of it. `{shard}` is filled already."""

ClientName = Annotated[str, Field(validate_default=True), AfterValidator(_own_name)]
"""A setting that names a client of a server, with placeholders in braces.

The shards of a run get different names: each its `{shard}`, which is added at the end unless the
name has it, `{project_id}` or `{der_id}`."""


def in_folder(folder: str, path: str, quoted: Callable[[str], str] = str) -> str:
    """Return a path as it is seen from the working folder; `folder` is what it is relative to.

    An empty path (not set) and an absolute one are returned unchanged. `quoted` is applied to
    the folder.
    """
    if not path or not folder or os.path.isabs(path):
        return path
    steps = _UPWARDS.match(path)
    upwards = steps[0] if steps else ""
    base = os.path.join(folder, upwards)
    short = os.path.normpath(base)
    # `x/..` is not the folder of x if x is a link.
    if os.path.realpath(short) == os.path.realpath(base):
        base = "" if short == os.curdir else short
    return os.path.join(quoted(base), path[len(upwards) :]) or os.curdir


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """The simulated time of a run that is checked."""

    start_ms: int
    """The time of the first tick, UTC."""
    last_ms: int | None
    """The time of the last tick; None: the run has no end."""
    timezone: str
    """The time zone of the sites that the settings are for."""
    is_resumed: bool = False
    """True if the run continues an earlier one, so that the files of that run are its own."""

    def in_zone(self, timezone: str | None) -> RunPeriod:
        """Return the period for sites in another time zone; None: the same."""
        return replace(self, timezone=timezone or self.timezone)


class Settings(BaseModel):
    """Base of the `Settings` of every plugin.

    Give each field a description: `gridsim plugins NAME`, the JSON Schema and the
    documentation show it. A `SecretStr` field (of pydantic), such as `password`, accepts a
    placeholder such as `${MQTT_PASSWORD}` only; a literal in the configuration is an error. The
    core adds the key `password_file`, which names a file with the secret, and masks the secret in
    all logs and errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return the settings themselves, because they are frozen."""
        return self

    def claims(self) -> Iterator[tuple[str, str]]:
        """Yield the key and a text for each resource that no other transport or source may share.

        For example ("path", "the file out/a.jsonl"). Equal texts are an error of the configuration,
        and so is a text that the shards of a run share.
        """
        yield from ()

    def only_here(self) -> Iterator[tuple[str, str]]:
        """Yield the key and a text for each thing that other machines cannot reach.

        For example ("host", "the embedded broker serves this machine only"). It is an error of the
        configuration if shards of the run are on other machines.
        """
        yield from ()

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield a setting and a problem for each file that a run could not use.

        `gridsim validate`, `--dry-run` and a run call it before anything starts. It opens files,
        and neither writes nor connects. `period` is the time of the run, None if the
        configuration does not say it. The problem completes a sentence about the setting:
        `("path", "names load.csv, which does not exist")`.
        """
        return iter(())


S = TypeVar("S", bound=Settings, default=Any)
"""The settings of a plugin; a class without the parameter has settings of any type."""


class DerSettings(Settings):
    """Base of the `Settings` of a DER type.

    The configuration may give any numeric field as a distribution, which is sampled per device.
    Read the samples from `Members.columns`.
    """

    nameplate_capacity: Annotated[float, Unit("kW")] = Field(
        gt=0, description="rated power; upper bound of the output in both directions"
    )


D = TypeVar("D", bound=DerSettings, default=Any)
"""The settings of a DER type, used like `S`."""


def local_paths(settings: type[Settings]) -> set[str]:
    """Return the names of the settings that are paths relative to the configuration's folder."""
    fields = settings.model_fields.items()
    located = (_LOCATED, _LOCATED_TEMPLATE)
    return {name for name, info in fields if any(one in info.metadata for one in located)}


def numeric_fields(settings: type[Settings]) -> list[str]:
    """Return the names of the numeric settings: they become columns and may be distributions."""
    return [name for name, info in settings.model_fields.items() if info.annotation in _NUMBERS]


_NUMBERS = (int, float, int | None, float | None)
