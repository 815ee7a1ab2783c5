"""The resolved configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from gridsim.config.tables.checkpoint import CheckpointSettings
from gridsim.config.tables.execution import ExecutionSettings
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.tables.simulation import SimulationSettings
from gridsim.config.tables.sources import SourceChoice
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.tables.views import ViewChoice
from gridsim.config.text.report import Problem
from gridsim.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """A whole configuration, checked."""

    simulation: SimulationSettings
    start_ms: int
    tick_ms: int
    length_ms: int | None
    """The simulated time from the start to the end of the run; None: it has no end."""
    scenario: Scenario
    transports: tuple[TransportChoice, ...]
    sources: tuple[SourceChoice, ...] = ()
    ledger: LedgerSettings | None = None
    timezone: str = "UTC"
    """The IANA name of the clock of `[site]`."""
    file_problems: tuple[Problem, ...] = ()
    """The problems of files that the configuration names: a run with them is refused."""
    views: tuple[ViewChoice, ...] = ()
    checkpoint: CheckpointSettings | None = None
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    epoch_ms: int | None = None
    """The real time at which the first tick is due, UTC; None: when the run has connected."""
