"""The path of a file or folder that the core writes."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gridsim.api import LocalPath


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


OutputPath = Annotated[LocalPath, AfterValidator(_without_nul)]
"""A setting that is a path to write to, relative to the configuration's folder."""
