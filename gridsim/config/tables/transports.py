"""`[[transports]]`: its settings of the core, and the transports that it describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from gridsim.api import Format, Framing, Settings, Transport, Unit
from gridsim.config.settings.paths import OutputPath
from gridsim.config.settings.validation import Findings, validate
from gridsim.config.tables.plugged import choose
from gridsim.config.tables.simulation import SimulationSettings
from gridsim.config.text.locate import KeyPath
from gridsim.delivery.account import OnFull
from gridsim.plugins.kinds import KINDS
from gridsim.plugins.registry import Registry

TransportType = type[Transport]
FormatType = type[Format]

_YEAR_S = 366 * 86_400
_SHAPE = 'write [[transports]], then type = "stdout" under it'


class SpoolSettings(Settings):
    """The settings of `[transports.spool]`."""

    path: OutputPath = Field(
        min_length=1,
        description="the file in which readings wait, relative to the folder of the configuration; "
        "one run at a time can use it",
    )
    max_mb: Annotated[float, Unit("MB")] = Field(
        256.0,
        gt=0,
        le=1e6,
        description="maximum size of the waiting readings in the file; when it is full, on_full "
        "applies",
    )


class DeliverySettings(Settings):
    """The settings of `[[transports]]` for every transport."""

    startup: Literal["fail", "retry"] | None = Field(
        None,
        description="reaction to a failed first connection: fail ends the run, retry keeps trying; "
        "without it, retry with a spool, otherwise fail",
    )
    on_full: OnFull | None = Field(
        None,
        description="rule for a full queue; without it, drop_oldest in real time (speed 1 or "
        "less), otherwise block: the run waits, and so becomes slower",
    )
    queue_mb: Annotated[float, Unit("MB")] = Field(
        64.0,
        gt=0,
        le=1e6,
        description="maximum size of the queue; with a spool, of its part in memory",
    )
    stall_timeout_s: Annotated[float, Unit("s")] = Field(
        30.0,
        gt=0,
        le=_YEAR_S,
        description="a transport that blocks the run for longer fails",
    )
    spool: SpoolSettings | None = Field(
        None,
        description="a queue on disk, which the next run continues to send: path, max_mb",
    )

    @property
    def gives_up_at_start(self) -> bool:
        """True if a failed first connection ends the run."""
        return self.startup == "fail" or (self.startup is None and self.spool is None)


class TransportTableSettings(DeliverySettings):
    """The delivery settings, and the framing of readings into messages."""

    framing: Framing | None = Field(
        None,
        description="der: a message per DER; project: a message per project, an array of its DERs; "
        "measurand: a message per value; batch: a message for several readings. The latter two are "
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

    @property
    def wanted(self) -> Collection[str]:
        """The names of the columns that are written."""
        if self.type.writes_columns:
            return self.type.wants(self.settings)
        return self.format_type.wants(self.format_settings)


def read_transports(
    findings: Findings,
    registry: Registry,
    data: Mapping[str, Any],
    simulation: SimulationSettings | None,
) -> tuple[TransportChoice, ...]:
    """Return all valid transports."""
    tables = data.get("transports", [{"type": KINDS["transport"].default}])
    if tables == []:
        findings.add(("transports",), f"there is no transport: {_SHAPE}")
        return ()
    seen: Counter[str] = Counter()
    choices = []
    for index, table in findings.tables(tables, ("transports",), _SHAPE):
        choice = read_transport(findings, registry, table, index, simulation, seen)
        if choice is not None:
            choices.append(choice)
    return tuple(choices)


def read_transport(
    findings: Findings,
    registry: Registry,
    table: dict[str, Any],
    index: int,
    simulation: SimulationSettings | None = None,
    seen: Counter[str] | None = None,
) -> TransportChoice | None:
    """Return the transport that is described by the table at an index of `transports`.

    `seen` counts the transports of each type so far. Returns None if there is a finding.
    """
    path = ("transports", index)
    seen = Counter() if seen is None else seen
    own = {key: table[key] for key in table.keys() & TransportTableSettings.model_fields.keys()}
    rest = {key: value for key, value in table.items() if key not in own and key != "format"}
    outlet = validate(findings, TransportTableSettings, own, path, owner="a transport")
    plugged = choose(
        findings,
        registry,
        "transport",
        rest,
        path,
        also=(*TransportTableSettings.model_fields, "format"),
    )
    given = table.get("format", KINDS["format"].default)
    named = isinstance(given, str)
    given = {"type": given} if named else given
    at = (*path, "format")
    inner = findings.table(given, at, 'such as { type = "json" }, or a name')
    format = (
        choose(findings, registry, "format", inner, at, named=named) if inner is not None else None
    )
    if outlet and outlet.settings.on_full == "block" and simulation and 0 < simulation.speed <= 1:
        findings.add(
            (*path, "on_full"),
            "'on_full' must not be block in real time (speed 1 or less): the simulation would wait "
            "for the transport and fall behind",
        )
    if plugged is not None and plugged.type.writes_columns and "format" in table:
        findings.add(
            at, f"the {plugged.name} transport writes columns and has no format; leave it out"
        )
    if plugged is None or outlet is None or format is None:
        return None
    framings: tuple[Framing, ...] = plugged.type.framings
    framing = outlet.settings.framing or ("der" if "der" in framings else framings[0])
    if framing not in framings:
        known = " or ".join(framings)
        findings.add(
            (*path, "framing"), f"the {plugged.name} transport supports only the framing {known}"
        )
    seen[plugged.name] += 1
    number = seen[plugged.name]
    return TransportChoice(
        name=plugged.name if number == 1 else f"{plugged.name}#{number}",
        type=plugged.type,
        settings=plugged.settings,
        format_name=format.name,
        format_type=format.type,
        format_settings=format.settings,
        framing=framing,
        delivery=outlet.settings,
        key_path=path,
    )
