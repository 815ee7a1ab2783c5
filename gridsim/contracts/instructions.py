"""Commands: what a user's system asks of devices while they run, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Action = Literal[
    "set_power",
    "limit_power",
    "limit_export",
    "limit_import",
    "target_soc",
    "connect",
    "disconnect",
]
CommandUnit = Literal["kW", "%"]
Status = Literal["accepted", "rejected", "completed", "superseded"]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a command is for: a whole project, or one of its DERs."""

    project_id: str
    der_id: str | None = None

    def __str__(self) -> str:
        return self.project_id if self.der_id is None else f"{self.project_id}/{self.der_id}"


@dataclass(frozen=True, slots=True)
class Command:
    """A well-formed command; whether its target can obey it, the simulation decides."""

    id: str
    action: Action
    value: float | None = None
    """kW or %, as `unit` says; None for connect and disconnect."""
    unit: CommandUnit | None = None
    start_ms: int | None = None
    """UTC, simulated time; None: at once."""
    duration_s: float | None = None
    """After this long the device reverts; None: it stays until something else is said."""
    ramp_s: float = 0.0
    """How long the way to the value takes, in a straight line."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command as a source received it: its text is checked when it is drained."""

    target: Target
    payload: bytes
    source: str = ""
    """The name of the source that it came by, which gets the acknowledgements."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of a command."""

    target: Target
    id: str
    """Empty if the command had none that could be read."""
    status: Status
    reason: str
    """Why it was rejected, superseded, or completed short of its aim; else empty."""
    tick: int
    """In which tick this was decided."""
    time_ms: int
    """The same as simulated time, UTC."""
    source: str
    action: Action | None = None
    """None if it could not be read."""


class Inbox(Protocol):
    """Where requests wait for the next tick. `post` may be called from any thread."""

    def post(self, request: Request) -> bool:
        """Whether there was room; a request beyond the bound is refused, never waited for."""
