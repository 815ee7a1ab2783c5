"""The queries and bodies of the API. An unknown field is an error."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gridsim_plugins.views.web.models.common import Limit, Offset, Order, Text


class Query(Struct, frozen=True, forbid_unknown_fields=True):
    """A query without parameters."""


class HistoryQuery(Query, frozen=True):
    span: Literal["15m", "1d"] = "15m"


class ProjectsQuery(Query, frozen=True):
    sort: Literal[
        "roster",
        "id",
        "load_kw",
        "net_kw",
        "output_kw",
        "baseline_kw",
        "threshold_kw",
        "target_kw",
        "delivered_kw",
        "violations",
    ] = "id"
    order: Order = "asc"
    filter: Text = ""
    state: Literal["", "contract", "called", "violation", "standalone"] = ""
    offset: Offset = 0
    limit: Limit = 200
    sparkline: bool = False


class DevicesQuery(Query, frozen=True):
    project: Text = ""
    type: Text = ""
    state: Literal["", "online", "offline", "faulty", "called", "disabled"] = ""
    filter: Text = ""
    sort: Literal["roster", "id", "output_kw", "soc"] = "roster"
    order: Order = "asc"
    offset: Offset = 0
    limit: Limit = 200


class WatchQuery(Query, frozen=True):
    after_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    after_change: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    """The messages whose `changed` is larger are sent."""


class EntriesQuery(Query, frozen=True):
    after: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    limit: Annotated[int, Meta(ge=1, le=200)] = 200


class FleetQuery(Query, frozen=True):
    show: Literal["soc", "output", "state", "type"] = "soc"


class PostQuery(Query, frozen=True):
    wait_s: Annotated[float, Meta(ge=0, le=10)] = 2.0


class ControlBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the run's pace, or of its configuration."""

    action: Literal["pause", "resume", "speed", "reload"]
    speed: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    """For `speed`: 0 is as fast as possible."""
