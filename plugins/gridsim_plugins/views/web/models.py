"""The shapes of the API: bodies, queries and answers. The OpenAPI description is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]
Kw = float | None
"""Power; null where there is none."""
RunState = Literal["new", "starting", "running", "paused", "stopping", "ended"]
Outcome = Literal["queued", "accepted", "rejected", "completed", "superseded", "cancelled"]
Text = Annotated[str, Meta(max_length=256)]
Offset = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Order = Literal["asc", "desc"]


class Problem(Struct, frozen=True):
    """An error."""

    error: str


# Queries. A field that is not there is an error.


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


# Bodies.


class ControlBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the run's pace."""

    action: Literal["pause", "resume", "speed"]
    speed: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    """For `speed`: 0 is as fast as possible."""


# Answers.


class Health(Struct, frozen=True):
    state: RunState


class Sketch(Struct, frozen=True):
    p50_s: float | None
    p99_s: float | None


class TransportItem(Struct, frozen=True):
    """A transport; accepted = delivered + dropped_total + unconfirmed + pending."""

    name: str
    state: str
    error: str
    accepted: Count
    delivered: Count
    unconfirmed: Count
    pending: Count
    dropped: dict[str, int]
    dropped_total: Count
    reconnects: Count
    behind_s: float
    settled_p50_s: float | None
    settled_p99_s: float | None
    far_end_p50_s: float | None
    far_end_p99_s: float | None
    per_second: float
    """Delivered readings, the mean of the last 5 s."""
    target: str
    hint: str


class SourceItem(Struct, frozen=True):
    name: str
    state: str
    error: str
    posted: Count
    refused: Count
    lost: Count
    unanswered: Count
    waiting: Count
    acknowledged: Count
    undelivered: Count
    reconnects: Count


class FailureItem(Struct, frozen=True):
    type: str
    reason: str
    devices: Count


class LedgerItem(Struct, frozen=True):
    path: str
    waited_s: float
    error: str


class InstructionCounts(Struct, frozen=True):
    waiting: Count
    received: Count
    rejected: Count


class FaultCounts(Struct, frozen=True):
    readings: Count
    affected: Count
    lost: Count
    late: Count
    altered: Count
    repeated: Count
    episodes: Count


class Frame(Struct, frozen=True):
    """The part of a run's status that changes with each tick."""

    state: RunState
    time_ms: int
    wall_ms: int
    tick: int
    speed: float
    lag_s: float
    online: Count
    kw: dict[str, float]
    load_kw: float
    net_kw: float
    baseline_kw: float
    target_kw: float
    delivered_kw: float
    per_second: float
    running_events: list[str]
    entries: Count


class StatusAnswer(Frame, frozen=True):
    """The status of the run."""

    ticks: int | None
    tick_ms: int
    start_ms: int
    seed: int
    timezone: str
    version: str
    projects: Count
    devices: Count
    types: list[str]
    columns: dict[str, str]
    readings: Count
    elapsed_s: float
    cpu_s: float
    worst_lag_s: float
    late_ticks: Count
    lag_p50_s: float
    lag_p99_s: float
    holding_up: str
    error: str
    instructions: InstructionCounts
    faults: FaultCounts | None
    transports: list[TransportItem]
    sources: list[SourceItem]
    failures: list[FailureItem]
    ledger: LedgerItem | None


class HistoryAnswer(Struct, frozen=True):
    span: Literal["15m", "1d"]
    time_ms: list[int]
    kw: dict[str, list[Kw]]
    load_kw: list[Kw]
    net_kw: list[Kw]
    target_kw: list[Kw]
    delivered_kw: list[Kw]


class ProjectItem(Struct, frozen=True, omit_defaults=True):
    id: str
    index: Count
    standalone: bool
    devices: Count
    first_device: Count
    load_kw: Kw
    net_kw: Kw
    output_kw: Kw
    baseline_kw: Kw
    threshold_kw: Kw
    target_kw: Kw
    delivered_kw: Kw
    in_violation: bool
    violations: Count
    sparkline: list[Kw] | None = None


class ProjectsAnswer(Struct, frozen=True):
    total: Count
    offset: Count
    items: list[ProjectItem]


class DeviceItem(Struct, frozen=True):
    id: str
    index: Count
    project: str
    type: str
    nameplate_kw: float
    output_kw: Kw
    soc: float | None
    online: bool
    faulty: bool
    called: bool
    disabled: bool


class ProjectAnswer(ProjectItem, frozen=True, kw_only=True):
    device_items: list[DeviceItem]


class DevicesAnswer(Struct, frozen=True):
    total: Count
    offset: Count
    items: list[DeviceItem]


class MessageItem(Struct, frozen=True):
    number: Count
    wall_ms: int
    direction: Literal["out", "in"]
    channel: str
    topic: str
    qos: int | None
    payload: str
    encoding: Literal["text", "base64"]
    start: Count
    """The place of `payload` in the whole payload, bytes."""
    size: Count
    fate: str
    changed: Count


class WatchAnswer(Struct, frozen=True):
    id: str
    project: str
    type: str
    settings: dict[str, Any]
    order: str
    time_ms: list[int]
    true: dict[str, list[float | None]]
    reported: dict[str, list[float | None]]
    faults: list[bool]
    messages: list[MessageItem]


class EntryItem(Struct, frozen=True):
    number: Count
    time_ms: int
    kind: Literal["event", "fault", "command", "failure"]
    state: str
    subject: str
    text: str
    end_ms: int | None


class EntriesAnswer(Struct, frozen=True):
    next: Count
    missed: Count
    items: list[EntryItem]


class RosterAnswer(Struct, frozen=True):
    devices: Count
    types: list[str]
    project_ids: list[str]
    first_device: list[int]


class EventItem(Struct, frozen=True):
    id: str
    times: Count
    projects: Count
    took_part: Count
    opted_out: Count
    superseded: Count
    interrupted: Count
    cancelled: Count
    in_violation: Count
    opted_out_in_violation: Count
    target_kwh: float
    delivered_kwh: float


class EventsAnswer(Struct, frozen=True):
    running: list[str]
    items: list[EventItem]


class ActiveFault(Struct, frozen=True):
    id: str
    since_ms: int
    text: str


class FaultsAnswer(Struct, frozen=True):
    counts: FaultCounts | None
    active: list[ActiveFault]


class SettingItem(Struct, frozen=True):
    name: str
    type: str
    unit: str
    required: bool
    default: Any
    choices: list[Any]
    description: str


class FaultType(Struct, frozen=True):
    type: str
    description: str
    settings: list[SettingItem]


class CommandType(Struct, frozen=True):
    command: str
    units: list[str]
    """The units of its value, the default first; empty: it takes no value."""
    ramps: bool


class DerType(Struct, frozen=True):
    type: str
    reported: list[str]
    devices: Count
    takes_commands: bool
    shares_setpoint: bool
    settings: list[SettingItem]


class CatalogueAnswer(Struct, frozen=True):
    """The faults, commands and types of DERs of the run, by its plugins."""

    faults: list[FaultType]
    fault_settings: list[SettingItem]
    commands: list[CommandType]
    ders: list[DerType]


class AccountItem(Struct, frozen=True):
    transport: str
    accepted: Count
    delivered: Count
    dropped: dict[str, int]
    unconfirmed: Count
    pending: Count
    balanced: bool


class VerifyAnswer(Struct, frozen=True):
    accounts: list[AccountItem]
    settlements: list[EventItem]
    ledger: str | None
    command: str | None


class Equivalents(Struct, frozen=True):
    """Other ways to do the same."""

    send: str | None
    """The command line."""
    toml: str | None
    """The part of a configuration; null where a configuration cannot hold it."""
    json: str | None
    """The message to a source, such as the payload of a command on MQTT."""
    curl: str
    note: str
    """A reason why one of them would not work in this run; else empty."""


class AcknowledgementItem(Struct, frozen=True):
    time_ms: int
    status: Outcome
    text: str


class InstructionAnswer(Struct, frozen=True, omit_defaults=True):
    id: str
    target: str
    command: str
    status: Outcome
    reason: str
    acknowledgements: list[AcknowledgementItem]
    equivalents: Equivalents
    error: str = ""


class InstructionsAnswer(Struct, frozen=True):
    items: list[InstructionAnswer]


class ControlAnswer(Struct, frozen=True):
    state: RunState
    speed: float
    equivalents: Equivalents
