"""The path of a file or folder that the core writes."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from gridsim.api import LocalPath
from gridsim.contracts.shard import shard_of


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


OutputPath = Annotated[LocalPath, AfterValidator(_without_nul)]
"""A setting that is a path to write to, relative to the configuration's folder."""


def _part(value: str, info: ValidationInfo) -> str:
    shard = shard_of(info)
    if not value or shard.has_own(value):
        return value
    path = PurePath(value)
    return str(path.with_name(f"{path.stem}-shard-{shard.name}{path.suffix}"))


PartPath = Annotated[OutputPath, AfterValidator(_part)]
"""An `OutputPath` with a file per shard of a run, such as `run-shard-0-of-4.sqlite`, unless the
path has the placeholder `{shard}`."""
