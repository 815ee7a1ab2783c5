"""The transport object that follows another one after a reload."""

from __future__ import annotations

from dataclasses import dataclass

from gridsim.api import Transport
from gridsim.delivery.timing import TimedFormat
from gridsim.delivery.trace import MessageTrace


@dataclass(frozen=True, slots=True)
class Successor:
    """A transport object with the same settings, made for other devices after a reload."""

    transport: Transport
    format: TimedFormat | None
    first: int
    """The number of the first reading of these devices."""
    trace: MessageTrace | None = None
    """The trace of these devices."""
