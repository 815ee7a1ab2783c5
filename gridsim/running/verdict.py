"""The verdict on a run: the exit status that follows from its status, with the reasons.

A run fails if readings did not arrive, with these exceptions:

- The effect of a fault is intended: a device that is offline sends nothing.
- Readings that a full queue drops are intended if the configuration sets `on_full`.
- A transport that sends each reading at most once (MQTT with QoS 0) may lose readings when its
  connection is lost. The run warns of it, and fails with `strict` only.
- A reader that closed its pipe (`| head`) does not need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gridsim.api import DEVICE_OFFLINE, NOT_CONNECTED
from gridsim.contracts.part_status import TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.delivery.account import QUEUE_FULL
from gridsim.errors import GridsimError, NeverConnectedError, NotHeldError
from gridsim.running.pace import is_held

RunFindingKind = Literal[
    "never connected",
    "failed",
    "dropped",
    "unconfirmed",
    "lost with the connection",
    "nothing confirmed",
    "rate not held",
]

_FAILED = GridsimError.exit_status
_NEVER_CONNECTED = NeverConnectedError.exit_status
_NOT_HELD = NotHeldError.exit_status
# The most important first.
_ORDER = (_NEVER_CONNECTED, _FAILED, _NOT_HELD)


@dataclass(frozen=True, slots=True)
class RunFinding:
    """A reason for an exit status other than 0, or a warning."""

    kind: RunFindingKind
    exit_status: int
    """0 for a warning."""
    transport: str = ""
    readings: int = 0
    """The number of readings that the finding is about."""
    accepted: int = 0
    """The number of all readings of the transport."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """With the kind "dropped": the readings by reason."""
    error: str = ""
    """The last error of the transport; empty if it worked after that."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings of a run, and its exit status."""

    findings: tuple[RunFinding, ...]

    @property
    def exit_status(self) -> int:
        """The status of the most important finding: 3 before 1 before 4; 0 without one."""
        found = {finding.exit_status for finding in self.findings}
        return next((status for status in _ORDER if status in found), 0)


def judge(status: RunStatus, *, strict: bool = False, interrupted: bool = False) -> Verdict:
    """Return the verdict on a run that has ended.

    With `strict`, readings lost at QoS 0 and a rate that was not held count too. With
    `interrupted` (by a signal), a transport may have had no time to connect.
    """
    findings = [
        finding
        for transport in status.transports
        if transport.state != "reader gone"
        for finding in _of_transport(transport, strict, interrupted)
    ]
    if strict and not is_held(status):
        findings.append(RunFinding("rate not held", _NOT_HELD))
    return Verdict(tuple(findings))


def _of_transport(
    transport: TransportStatus, strict: bool, interrupted: bool
) -> Iterator[RunFinding]:
    name, accepted, error = transport.name, transport.accepted, transport.error
    if not transport.ever_connected:
        if not interrupted:
            yield RunFinding("never connected", _NEVER_CONNECTED, name, error=error)
        return
    if transport.state == "failed":
        yield RunFinding("failed", _FAILED, name, error=error)
    dropped = _unintended(transport)
    unconfirmed, tolerated = transport.unconfirmed, 0
    if transport.at_most_once:
        unconfirmed, tolerated = 0, unconfirmed + dropped.pop(NOT_CONNECTED, 0)
    total = sum(dropped.values())
    if total:
        yield RunFinding("dropped", _FAILED, name, total, accepted, dropped, error)
    if unconfirmed:
        yield RunFinding("unconfirmed", _FAILED, name, unconfirmed, accepted, error=error)
    if tolerated:
        status = _NOT_HELD if strict else 0
        yield RunFinding("lost with the connection", status, name, tolerated, accepted)
    if transport.state != "failed" and not transport.delivered and total + unconfirmed + tolerated:
        yield RunFinding("nothing confirmed", _FAILED, name, accepted, accepted)


def _unintended(transport: TransportStatus) -> dict[str, int]:
    """Return the dropped readings by reason, without those whose drop is intended."""
    intended = {DEVICE_OFFLINE}
    if transport.on_full_set:
        intended.add(QUEUE_FULL)
    return {reason: n for reason, n in transport.dropped.items() if n and reason not in intended}
