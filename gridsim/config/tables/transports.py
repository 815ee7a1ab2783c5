"""`[[transports]]`: the settings of the core in it, and a resolved transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from gridsim.api import Format, Framing, Settings, Transport, Unit
from gridsim.config.text.locate import KeyPath

TransportType = type[Transport]
FormatType = type[Format]
OnFull = Literal["drop_oldest", "drop_newest", "block"]

_YEAR_S = 366 * 86_400


class DeliverySettings(Settings):
    """The settings of `[[transports]]` for every transport."""

    startup: Literal["fail", "retry"] = Field(
        "fail",
        description="reaction to a failed first connection: fail ends the run, retry keeps trying",
    )
    on_full: OnFull | None = Field(
        None,
        description="rule for a full queue; without it, drop_oldest in real time (speed 1 or "
        "less), otherwise block: the run waits, and so becomes slower",
    )
    queue_mb: Annotated[float, Unit("MB")] = Field(
        64.0, gt=0, le=1e6, description="maximum size of the queue"
    )
    stall_timeout_s: Annotated[float, Unit("s")] = Field(
        30.0,
        gt=0,
        le=_YEAR_S,
        description="a transport that blocks the run for longer fails",
    )


class TransportTableSettings(DeliverySettings):
    """The delivery settings, and the framing of readings into messages."""

    framing: Framing | None = Field(
        None,
        description="der: a message per DER; project: a message per project, an array of its DERs; "
        "measurand: a message per value; batch: a message per some readings. The latter two are "
        "for the format template and the transport mqtt",
    )


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """A checked table of `[[transports]]`."""

    name: str
    """The type; the second of a type has `#2` added, the third `#3`."""
    type: TransportType
    settings: Any
    format_name: str
    format_type: FormatType
    format_settings: Any
    framing: Framing
    delivery: DeliverySettings
    key_path: KeyPath
