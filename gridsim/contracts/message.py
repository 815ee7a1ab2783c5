"""Messages as they are sent and received, for the trace of a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT_BYTES: Final = 4096
"""The largest number of bytes of a message's payload that a trace keeps."""


@dataclass(frozen=True, slots=True)
class MessageAddress:
    """The address of messages within a transport or source."""

    topic: str = ""
    """The topic, path or address; empty if there is none."""
    qos: int | None = None
    """The quality of service of MQTT; None where there is no such thing."""


@dataclass(frozen=True, slots=True)
class ReceivedText:
    """The text of an instruction, as it arrived."""

    payload: bytes
    """At most the first 4,096 bytes."""
    size: int
    """The size of the whole text in bytes."""
    address: MessageAddress
