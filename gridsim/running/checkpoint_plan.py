"""The plan of the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridsim.execution.folder import Kept


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """The checkpoints that a run will write, and the one that it continues."""

    path: Path
    every_s: float
    on_recovery: str
    keys: Mapping[str, str]
    """A digest of each key that the simulation depends on."""
    kept: Kept | None = None
    """The files of an earlier life of the run; None: the run begins."""
    why_new: str = ""
    """With `--resume`, why a new run begins; else empty."""
    url: str = ""
    """The place of a copy of the folder; "" without one."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of fsspec for the URL."""
