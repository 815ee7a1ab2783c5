"""The part of a ledger that is written before the first tick: the run and its configuration."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gridsim.api import DeviceFault, Fault
from gridsim.contracts.fault import is_instrument
from gridsim.contracts.shard import Shard
from gridsim.ledger.schema import VERSION
from gridsim.simulation.scenario import BaselineSpec, FaultSpec, Scenario
from gridsim.version import __version__


@dataclass(frozen=True, slots=True)
class TransportNote:
    """The name, format and framing of one of the run's transports."""

    name: str
    type: str
    format: str
    format_settings: str
    """The settings as JSON."""
    framing: str


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """A description of the run that a ledger belongs to."""

    seed: int
    configuration_hash: str
    """The hexadecimal SHA-256 of the settings that the truth depends on."""
    scenario: Scenario
    transports: Sequence[TransportNote]
    plugins: Mapping[str, str]
    """The identity of each plugin that readings depend on, by kind and name."""
    timezone: str = "UTC"
    """The IANA name of the clock of `[site]`."""
    earlier: int = 0
    """The number of readings of earlier runs that this run sends from spools."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The run's id."""
    shard: Shard | None = None
    """The part of the run that the ledger has; None: the run is not divided."""
    events: Sequence[str] = ()
    """The ids of all configured events of a run that is divided, in their order."""


def write_about(connection: sqlite3.Connection, about: About) -> None:
    """Fill the tables that do not change during a run. A transaction must be open."""
    scenario = about.scenario
    meta = {
        "version": VERSION,
        "gridsim": __version__,
        "run": about.run,
        "seed": about.seed,
        "start_ms": scenario.start_ms,
        "tick_ms": scenario.tick_ms,
        "timezone": about.timezone,
        "configuration": about.configuration_hash,
        "plugins": json.dumps(about.plugins),
        "caveats": json.dumps({b.name: b.type.caveat for b in scenario.baselines if b.type.caveat}),
        "earlier": about.earlier,
        "ticks": 0,
        "complete": 0,
    }
    if about.shard is not None:
        # The projects and devices that a reload adds later get the next numbers.
        meta |= {
            "shard": about.shard.index,
            "shards": about.shard.count,
            "projects": len(scenario.roster.project_id),
            "devices": len(scenario.roster),
            "events": json.dumps(list(about.events)),
        }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    connection.executemany(
        "INSERT INTO projects VALUES (?, ?, ?, ?)",
        ((index, *project) for index, project in enumerate(project_rows(scenario))),
    )
    connection.executemany(
        "INSERT INTO devices VALUES (?, ?, ?, ?, ?)",
        ((index, *device) for index, device in enumerate(device_rows(scenario))),
    )
    connection.executemany("INSERT INTO baselines VALUES (?, ?)", method_rows(scenario.baselines))
    connection.executemany(
        "INSERT INTO faults VALUES (?, ?, ?, ?, ?, 0, NULL)", _faults(scenario.faults)
    )
    connection.executemany(
        "INSERT INTO transports VALUES (?, ?, ?, ?, ?, ?)",
        (
            (index, note.name, note.type, note.format, note.format_settings, note.framing)
            for index, note in enumerate(about.transports)
        ),
    )


def kind_of(fault: type[Fault]) -> str:
    """Return "device" or "message", whichever a fault affects; "instrument" for a property of an
    instrument.
    """
    if not issubclass(fault, DeviceFault):
        return "message"
    return "instrument" if is_instrument(fault) else "device"


def project_rows(scenario: Scenario) -> Iterator[tuple[str, int, int]]:
    """Yield id, standalone and contract threshold of each project, in hundredths of a kW."""
    roster = scenario.roster
    threshold = np.rint(scenario.contract_threshold * 100).astype(np.int64).tolist()
    standalone = roster.is_standalone.astype(np.int64).tolist()
    return zip(roster.project_id, standalone, threshold, strict=True)


def device_rows(scenario: Scenario) -> Iterator[tuple[str, int, str, int]]:
    """Yield id, project as an index, type and nameplate capacity of each device."""
    roster = scenario.roster
    nameplate = np.rint(roster.nameplate_capacity * 100).astype(np.int64).tolist()
    return zip(roster.der_id, roster.project.tolist(), roster.type, nameplate, strict=True)


def method_rows(specs: Sequence[BaselineSpec]) -> Iterator[tuple[int, str]]:
    """Yield each project with the name of its baseline method."""
    for spec in specs:
        method = spec.name if spec.load is None else f"load {spec.load.name}"
        for project in spec.members.site.tolist():
            yield project, method


def _faults(specs: Sequence[FaultSpec]) -> Iterator[tuple[int, str, str, str, int]]:
    for index, spec in enumerate(specs):
        yield index, spec.id, spec.name, kind_of(spec.type), index
