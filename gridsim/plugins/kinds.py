"""The kinds of plugins. Each is described once, here.

The registry, the JSON Schema, `gridsim plugins` and the configuration read these
descriptions. The settings that the core adds to a plugin's own belong to the TOML table that
the plugin stands in: see `gridsim.config.tables.core`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gridsim.api import (
    Baseline,
    Device,
    DeviceFault,
    Fleet,
    Format,
    Load,
    MessageFault,
    Probe,
    Source,
    Transport,
    View,
    Weather,
    fleet_of,
)

_Type = type[Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of plugin: the bases of its types, and the place where the configuration names
    them.
    """

    name: str
    """The name of the method of `Register`, and the first part of a schema's name."""
    description: str
    bases: tuple[_Type, ...]
    """The classes of `gridsim.api` that a type may derive from."""
    table: str | None = None
    """The dotted path of the TOML table whose `type` names a plugin; None: there is no table."""
    is_array: bool = False
    """True where the table is an array of tables."""
    required: bool = False
    """True where the configuration must have the table."""
    default: str | None = None
    """The type where the configuration has no such table."""
    takes_name: bool = False
    """True where a bare name may stand in place of the table."""
    number_type: str | None = None
    """The type that a bare number, or a distribution, stands for: the type's setting with the
    name of the table. None: a number is not valid."""
    stand_in: str | None = None
    """Another kind whose types the table may name, before its own."""
    distributions: bool = False
    """True where the numbers among a plugin's settings may be distributions."""
    title: str = ""
    """The name in messages; "": the same as `name`."""
    prepare: Callable[[_Type, str], _Type] | None = None
    """A function that returns the registered type, from the plugin's class and name."""

    @property
    def key(self) -> str:
        """The last part of `table`."""
        return (self.table or "").rpartition(".")[2]

    @property
    def parent(self) -> str | None:
        """The table that holds `table`, "" for the whole file; None: there is no table."""
        return None if self.table is None else self.table.rpartition(".")[0]

    @property
    def default_type(self) -> str | None:
        """The type of a table that has no `type`; None if it must have one.

        Where a number would do, a table is for the settings of a certain type. A table of an array
        must name its type.
        """
        return None if self.number_type or self.is_array else self.default

    def __str__(self) -> str:
        return self.title or self.name


def _fleet(type: _Type, name: str) -> _Type:
    """Return the fleet that steps devices of the easy contract."""
    return fleet_of(type, name) if issubclass(type, Device) else type


_KINDS = (
    Kind(
        "der",
        "models the devices of a type",
        (Fleet, Device),
        "projects.ders",
        is_array=True,
        required=True,
        distributions=True,
        title="DER",
        prepare=_fleet,
    ),
    Kind(
        "transport",
        "sends readings",
        (Transport,),
        "transports",
        is_array=True,
        default="mqtt",
    ),
    Kind(
        "weather",
        "supplies irradiance, temperature and wind",
        (Weather,),
        "weather",
        default="synthetic",
    ),
    Kind(
        "load",
        "supplies the load of a site without its DERs",
        (Load,),
        "projects.load",
        default="household",
        distributions=True,
    ),
    Kind(
        "baseline",
        "the consumption of the site without demand response; unset: the expected load and the "
        'devices that consume; "like_days" averages past days, "counterfactual" is the true '
        "consumption, and { type = ... } with a load plugin's name is the expectation of that load",
        (Baseline,),
        "projects.baseline",
        default="expectation",
        number_type="constant",
        stand_in="load",
        takes_name=True,
    ),
    Kind(
        "format",
        "how readings are written",
        (Format,),
        "transports.format",
        default="json",
        takes_name=True,
    ),
    Kind("source", "receives commands", (Source,), "sources", is_array=True),
    Kind("view", "shows the run to people and other programs", (View,), "views", is_array=True),
    Kind(
        "fault",
        "alters readings, or the delivery of messages",
        (DeviceFault, MessageFault),
        "faults",
        is_array=True,
        distributions=True,
    ),
    Kind("probe", "is the other end of a protocol: listens, sends, measures", (Probe,)),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
