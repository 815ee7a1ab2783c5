"""What a plugin author imports, and nothing else.

A plugin is a module with one function:

    from gridsim.api import hookimpl

    @hookimpl
    def gridsim_register(register):
        register.der("ice_rink", IceRink)
"""

from __future__ import annotations

from typing import Protocol

import pluggy

from gridsim.contracts.batch import UNITS, Batch, Labels, Roster
from gridsim.contracts.der import Capability, Fleet, Orders, Stage, Telemetry
from gridsim.contracts.device import Device, DeviceReading, DeviceTick, fleet_of
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
from gridsim.contracts.format import Format, Framing, Payloads
from gridsim.contracts.instructions import (
    Acknowledgement,
    Action,
    Command,
    Inbox,
    Request,
    Status,
    Target,
)
from gridsim.contracts.load import Load
from gridsim.contracts.members import Members
from gridsim.contracts.record import FIELDS, RecordField, RecordSettings, choose_fields
from gridsim.contracts.rows import RowEncoder, RowLayout
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import DerSettings, Settings, Unit, numeric_fields
from gridsim.contracts.sites import Sites
from gridsim.contracts.source import Source
from gridsim.contracts.tick import Tick
from gridsim.contracts.transport import Receipt, Transport
from gridsim.contracts.weather import Weather, WeatherSample
from gridsim.errors import ReaderGone, TransportError
from gridsim.helpers import clearsky, climate, sun, thermal, windows
from gridsim.helpers.curtailment import Curtailment
from gridsim.helpers.minutely import Minutely, Staggered
from gridsim.helpers.randomness import Draws, Floats, Keys, identities, identity
from gridsim.helpers.tables import Table, read_table
from gridsim.helpers.timestamps import compact_stamp, rfc3339, utc_date

__all__ = [
    "FIELDS",
    "LOST",
    "SENT",
    "STORED",
    "UNITS",
    "Acknowledgement",
    "Action",
    "AffectedReadings",
    "Batch",
    "Capability",
    "Command",
    "Curtailment",
    "DerSettings",
    "Device",
    "DeviceFault",
    "DeviceReading",
    "DeviceTick",
    "Draws",
    "Fault",
    "Fleet",
    "Floats",
    "Format",
    "Framing",
    "Inbox",
    "Keys",
    "Labels",
    "Load",
    "Members",
    "MessageEffects",
    "MessageFault",
    "Minutely",
    "Orders",
    "Payloads",
    "ReaderGone",
    "Receipt",
    "RecordField",
    "RecordSettings",
    "Register",
    "Request",
    "Roster",
    "RowEncoder",
    "RowLayout",
    "RunContext",
    "Settings",
    "Sites",
    "Source",
    "Stage",
    "Staggered",
    "Status",
    "Table",
    "Target",
    "Telemetry",
    "Tick",
    "Transport",
    "TransportError",
    "Unit",
    "Weather",
    "WeatherSample",
    "choose_fields",
    "clearsky",
    "climate",
    "compact_stamp",
    "fleet_of",
    "hookimpl",
    "identities",
    "identity",
    "numeric_fields",
    "read_table",
    "rfc3339",
    "sun",
    "thermal",
    "utc_date",
    "windows",
]

hookimpl = pluggy.HookimplMarker("gridsim")


class Register(Protocol):
    """The object that `gridsim_register` gets: it registers types, with a method for each kind.

    The name is the `type` in the configuration that stands for the plugin.
    """

    def der(self, name: str, fleet: type[Fleet] | type[Device]) -> None: ...
    def transport(self, name: str, transport: type[Transport]) -> None: ...
    def format(self, name: str, format: type[Format]) -> None: ...
    def weather(self, name: str, weather: type[Weather]) -> None: ...
    def load(self, name: str, load: type[Load]) -> None: ...
    def source(self, name: str, source: type[Source]) -> None: ...
    def fault(self, name: str, fault: type[Fault]) -> None: ...
