"""The interface for plugin authors: contracts, settings, random draws, timestamps.

A plugin is a module with one function:

    from gridsim.api import hookimpl

    @hookimpl
    def gridsim_register(register):
        register.der("ice_rink", IceRink)

Numeric helpers (sun, sky, heat, time windows, CSV tables) are in `gridsim.helpers`.

The names in `__all__` are public: none is removed, and the meaning of none changes, before one
release in which its use gives a DeprecationWarning. New names, and methods with a default, may
come with any release. Those of `gridsim.helpers` may change with a line in `CHANGELOG.md`.
"""

from __future__ import annotations

from typing import Any, Protocol

import pluggy

from gridsim.contracts.baseline import Baseline, Expected
from gridsim.contracts.batch import ATTRIBUTES, UNITS, Batch, Labels, Roster
from gridsim.contracts.carrying import Staying, carry, carry_attributes
from gridsim.contracts.catalogue import (
    Catalogue,
    CommandEntry,
    DerEntry,
    FaultEntry,
    SettingEntry,
)
from gridsim.contracts.codes import ALARMS, STATES, Codes
from gridsim.contracts.der import Capability, Fleet, Orders, Stage, Telemetry
from gridsim.contracts.device import (
    Device,
    DeviceCapability,
    DeviceReading,
    DeviceTick,
    fleet_of,
)
from gridsim.contracts.fault import (
    LOST,
    SENT,
    STORED,
    AffectedReadings,
    DeviceFault,
    Fault,
    MessageEffects,
    MessageFault,
)
from gridsim.contracts.format import PART_ROWS, Format, Framing, Payloads
from gridsim.contracts.grid import GridSample
from gridsim.contracts.grid_support import GridSupport, GridSupportSettings
from gridsim.contracts.instruction_json import (
    acknowledgement_json,
    read_instruction,
    read_value,
    write_instruction,
)
from gridsim.contracts.instruction_rules import Action, Period, Refused
from gridsim.contracts.instructions import (
    Acknowledgement,
    CallEvent,
    CancelEvent,
    ClearFault,
    Command,
    Inbox,
    InjectFault,
    Instruction,
    Status,
    Target,
    Unreadable,
)
from gridsim.contracts.latency import LatencySketch
from gridsim.contracts.load import Load
from gridsim.contracts.managed import (
    Curtailable,
    CurtailableSettings,
    CurtailmentRate,
    Managed,
)
from gridsim.contracts.measurands import (
    DER_REGISTERS,
    MEASURANDS,
    SITE_REGISTERS,
    Measurand,
    codes_of,
    decimals_of,
)
from gridsim.contracts.members import Members
from gridsim.contracts.message import MessageAddress
from gridsim.contracts.part_status import (
    BackfillStatus,
    EventStatus,
    FaultStatus,
    InstructionStatus,
    LedgerStatus,
    SourceStatus,
    TransportStatus,
    ViewStatus,
)
from gridsim.contracts.probe import (
    Benchmark,
    Capture,
    FarEnd,
    Listener,
    Offer,
    Probe,
    ReceivedMessage,
    ReferenceClient,
    WireMessage,
)
from gridsim.contracts.record import FIELDS, RecordField, RecordSettings, choose_fields
from gridsim.contracts.record_columns import (
    ColumnKind,
    ColumnSettings,
    RecordColumn,
    record_columns,
)
from gridsim.contracts.rows import RowEncoder, RowLayout
from gridsim.contracts.run_context import (
    Announcement,
    RunContext,
    Service,
    ServiceProvider,
    ServiceT,
)
from gridsim.contracts.settings import (
    ClientName,
    DerSettings,
    DerTypeName,
    LocalPath,
    LocalPathTemplate,
    RunPeriod,
    Settings,
    Unit,
    numeric_fields,
)
from gridsim.contracts.shard import Shard
from gridsim.contracts.sites import Sites
from gridsim.contracts.snapshot import (
    CALLED,
    DISABLED,
    FAULTY,
    OFFLINE,
    DeviceStates,
    DeviceView,
    Entry,
    EntryKind,
    History,
    OpenFault,
    PostedAnswer,
    SiteStates,
    Snapshot,
    TracedMessage,
)
from gridsim.contracts.source import Source
from gridsim.contracts.state import State, StateError, Stateful, Tree
from gridsim.contracts.status import RunState, RunStatus
from gridsim.contracts.table_settings import TableSettings, UnitName, check_zone
from gridsim.contracts.targets import find_target
from gridsim.contracts.text_error import TextError
from gridsim.contracts.tick import Tick, TickBlock
from gridsim.contracts.transport import DEVICE_OFFLINE, NOT_CONNECTED, Receipt, Transport
from gridsim.contracts.view import Control, Span, View
from gridsim.contracts.weather import WEATHER_LIMITS, Weather, WeatherLimit, WeatherSample
from gridsim.errors import ReaderGone, TransportError
from gridsim.helpers.randomness import Draws, Floats, Keys, identities, identity
from gridsim.helpers.timestamps import compact_stamp, rfc3339, utc_date
from gridsim.redaction import keep_secret

__all__ = [  # noqa: RUF022 - in groups
    # Registering
    "Register",
    "hookimpl",
    # Settings
    "ClientName",
    "DerSettings",
    "DerTypeName",
    "LocalPath",
    "LocalPathTemplate",
    "RunPeriod",
    "Settings",
    "TableSettings",
    "Unit",
    "UnitName",
    "check_zone",
    "keep_secret",
    "numeric_fields",
    # Arguments of plugins: members, sites, the run, the tick
    "Members",
    "Announcement",
    "RunContext",
    "Shard",
    "Service",
    "ServiceProvider",
    "ServiceT",
    "Sites",
    "Tick",
    "TickBlock",
    # State, for checkpoints
    "State",
    "StateError",
    "Stateful",
    "Tree",
    # State that stays in a reload
    "Staying",
    "carry",
    "carry_attributes",
    # Random draws
    "Draws",
    "Floats",
    "Keys",
    "identities",
    "identity",
    # DER types
    "Capability",
    "Curtailable",
    "CurtailableSettings",
    "CurtailmentRate",
    "Device",
    "DeviceCapability",
    "DeviceReading",
    "DeviceTick",
    "Fleet",
    "GridSample",
    "GridSupport",
    "GridSupportSettings",
    "Managed",
    "Orders",
    "Stage",
    "Telemetry",
    "fleet_of",
    # Weather, loads and baselines
    "Baseline",
    "Expected",
    "Load",
    "WEATHER_LIMITS",
    "Weather",
    "WeatherLimit",
    "WeatherSample",
    # Faults
    "LOST",
    "SENT",
    "STORED",
    "AffectedReadings",
    "DeviceFault",
    "Fault",
    "MessageEffects",
    "MessageFault",
    # Readings and the record
    "FIELDS",
    "UNITS",
    "ATTRIBUTES",
    "Batch",
    "Labels",
    "RecordField",
    "RecordSettings",
    "ColumnKind",
    "ColumnSettings",
    "RecordColumn",
    "record_columns",
    "Measurand",
    "MEASURANDS",
    "DER_REGISTERS",
    "SITE_REGISTERS",
    "ALARMS",
    "STATES",
    "Codes",
    "codes_of",
    "decimals_of",
    "Roster",
    "choose_fields",
    # Formats
    "Format",
    "Framing",
    "PART_ROWS",
    "Payloads",
    "Period",
    "TextError",
    "RowEncoder",
    "RowLayout",
    # Transports
    "ReaderGone",
    "DEVICE_OFFLINE",
    "NOT_CONNECTED",
    "MessageAddress",
    "Receipt",
    "Transport",
    "TransportError",
    # Sources and instructions
    "Acknowledgement",
    "Action",
    "CallEvent",
    "Capture",
    "CancelEvent",
    "ClearFault",
    "Command",
    "Inbox",
    "InjectFault",
    "Instruction",
    "Refused",
    "Source",
    "Status",
    "Target",
    "Unreadable",
    "acknowledgement_json",
    "find_target",
    "read_instruction",
    "read_value",
    "write_instruction",
    # Probes
    "Benchmark",
    "FarEnd",
    "Listener",
    "Offer",
    "Probe",
    "ReceivedMessage",
    "ReferenceClient",
    "WireMessage",
    # Views
    "CALLED",
    "DISABLED",
    "FAULTY",
    "OFFLINE",
    "Catalogue",
    "CommandEntry",
    "Control",
    "DerEntry",
    "DeviceStates",
    "DeviceView",
    "Entry",
    "EntryKind",
    "FaultEntry",
    "History",
    "OpenFault",
    "PostedAnswer",
    "SettingEntry",
    "SiteStates",
    "Snapshot",
    "Span",
    "TracedMessage",
    "View",
    # The status of a run
    "BackfillStatus",
    "EventStatus",
    "FaultStatus",
    "InstructionStatus",
    "LatencySketch",
    "LedgerStatus",
    "RunState",
    "RunStatus",
    "SourceStatus",
    "TransportStatus",
    "ViewStatus",
    # Timestamps
    "compact_stamp",
    "rfc3339",
    "utc_date",
]

hookimpl = pluggy.HookimplMarker("gridsim")


class Register(Protocol):
    """The object that `gridsim_register` gets: it has one method for each kind of plugin.

    The name is the `type` that selects the plugin in the configuration.
    """

    def der(self, name: str, fleet: type[Fleet] | type[Device]) -> None: ...
    def transport(self, name: str, transport: type[Transport]) -> None: ...
    def format(self, name: str, format: type[Format]) -> None: ...
    def weather(self, name: str, weather: type[Weather]) -> None: ...
    def load(self, name: str, load: type[Load]) -> None: ...
    def baseline(self, name: str, baseline: type[Baseline]) -> None: ...
    def source(self, name: str, source: type[Source]) -> None: ...
    def view(self, name: str, view: type[View]) -> None: ...
    def fault(self, name: str, fault: type[Fault]) -> None: ...
    def probe(self, name: str, probe: type[Probe[Any, Any]]) -> None: ...
