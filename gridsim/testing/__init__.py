"""Tools for the tests of plugins: builders of small inputs, and contract tests to inherit.

    from gridsim.testing import FleetContract

    class TestHeatPump(FleetContract):
        fleet = HeatPump
        settings = ({"nameplate_capacity": 6.0},)

pytest collects the inherited tests. The built-in plugins pass the same tests.
"""

from gridsim.testing.baselines import BaselineContract
from gridsim.testing.builders import (
    BLOCK_LENGTHS,
    START_MS,
    make_batch,
    make_members,
    make_roster,
    make_run,
    make_sites,
    make_tick,
    make_tick_block,
    make_weather,
    some_of,
)
from gridsim.testing.faults import (
    DeviceFaultContract,
    MessageFaultContract,
    make_affected,
    make_effects,
)
from gridsim.testing.fleets import FleetContract
from gridsim.testing.formats import FormatContract
from gridsim.testing.loads import LoadContract
from gridsim.testing.probes import ProbeContract
from gridsim.testing.sources import RecordingInbox, SourceContract
from gridsim.testing.transports import (
    REFUSED_DER,
    PlainFormat,
    RecordingReceipt,
    TransportContract,
)
from gridsim.testing.views import RecordingControl, ViewContract, make_snapshot
from gridsim.testing.weather import WeatherContract

__all__ = [
    "BLOCK_LENGTHS",
    "REFUSED_DER",
    "START_MS",
    "BaselineContract",
    "DeviceFaultContract",
    "FleetContract",
    "FormatContract",
    "LoadContract",
    "MessageFaultContract",
    "PlainFormat",
    "ProbeContract",
    "RecordingControl",
    "RecordingInbox",
    "RecordingReceipt",
    "SourceContract",
    "TransportContract",
    "ViewContract",
    "WeatherContract",
    "make_affected",
    "make_batch",
    "make_effects",
    "make_members",
    "make_roster",
    "make_run",
    "make_sites",
    "make_snapshot",
    "make_tick",
    "make_tick_block",
    "make_weather",
    "some_of",
]
