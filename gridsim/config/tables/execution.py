"""`[execution]`: the processes and machines that simulate the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from gridsim.api import Settings
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.tables.simulation import start_ms


class ExecutionSettings(Settings):
    """The settings of `[execution]`."""

    engine: Literal["local", "processes", "ray"] = Field(
        "local",
        description="local: this process; processes: several processes on this machine; ray: the "
        "nodes of a Ray cluster, which needs gridsim-der[ray]. --shard runs its part in this "
        "process",
    )
    shards: Literal["auto"] | Annotated[int, Field(ge=1, le=100_000)] = Field(
        "auto",
        description="number of parts of the run with engine processes or ray, each with some of "
        'the projects; "auto": the number of usable cores, at most the number of projects',
    )
    sync: Literal["clock", "lockstep"] = Field(
        "clock",
        description="clock: each shard has its own clock, and a late one does not hold the "
        "others; lockstep: all shards end a tick before one begins the next",
    )
    address: str = Field(
        "",
        description="address of the Ray cluster with engine ray; empty: one on this machine, for "
        "this run",
    )
    on_too_slow: Literal["stop", "warn"] | None = Field(
        None,
        description="rule for a rate that some ticks before the first one show not to be held. "
        "stop: end with status 4; warn: run all the same; without it, stop in a run of several "
        "shards, otherwise warn",
    )
    epoch: str = Field(
        "",
        description="real time at which the first tick is due, such as 2026-07-01T12:00:00Z, for "
        'shards that start one by one; "start": the simulated start; empty: when the run has '
        "connected. A run that starts later catches up. Of no effect at speed 0",
    )

    @field_validator("epoch")
    @classmethod
    def _known_time(cls, value: str) -> str:
        _epoch_ms(value, 0)
        return value

    def epoch_ms(self, start: int, timezone: str) -> int | None:
        """Return the real time of the first tick, UTC ms; None: when the run has connected.

        `start` is the simulated start, UTC ms, and `timezone` the IANA name of the site's clock.
        Raises ValueError.
        """
        return _epoch_ms(self.epoch, start, timezone)


def _epoch_ms(epoch: str, start: int, timezone: str = "UTC") -> int | None:
    if not epoch:
        return None
    return start_ms(epoch, start, timezone, word="start")


def read_execution(findings: Findings, data: Mapping[str, Any]) -> ExecutionSettings | None:
    """Return the settings; None if there is a finding."""
    path = ("execution",)
    table = findings.table(data.get("execution", {}), path, "write [execution]")
    if table is None:
        return None
    found = validate(findings, ExecutionSettings, table, path, owner="[execution]")
    return found.settings if found else None
