"""The sources of a run with shards: they are served in the driver."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final, Protocol

from gridsim.api import Instruction
from gridsim.contracts.part_status import SourceStatus
from gridsim.running.hub import Hub
from gridsim.running.observe import source_status
from gridsim.running.plan import Plan
from gridsim.running.workers import wait_for_first_attempts
from gridsim.sources import Sources, SourceWorker

_STARTUP_S: Final = 6.0


class Instructed(Protocol):
    """The part of a run that its sources use."""

    hub: Hub

    @property
    def tick(self) -> int:
        """The index of the next tick."""

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction; return whether there was room."""


class DrivenSources:
    """The workers of the sources; each posts to the run, which chooses tick and shards."""

    def __init__(self, plan: Plan, run: Instructed) -> None:
        self._plan, self._run = plan, run
        self._sources = Sources([])

    def start(self, stopping: threading.Event) -> bool:
        """Connect, and return whether to go on."""
        workers = [
            SourceWorker(one.name, one.source, self, self._next) for one in self._plan.sources
        ]
        self._sources = Sources(workers)
        self._run.hub.connect(None, (), self._sources)
        self._sources.start()
        wait_for_first_attempts(workers, stopping, _STARTUP_S)
        return not stopping.is_set()

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction of a source; return whether there was room."""
        return self._run.post(instruction)

    def lost(self, instructions: int) -> None:
        """Do nothing: the worker of a source counts its unread instructions."""

    def close(self) -> None:
        """Ask the sources to hand over the acknowledgements that wait, and to close."""
        self._sources.close()

    def wait(self, timeout_s: float) -> bool:
        """Return whether all sources ended in time."""
        return self._sources.wait(timeout_s)

    def hanging(self, limit_s: float) -> dict[str, str]:
        """Return the sources that hang, each with the method that runs."""
        found = {f"source {one.name}": one.hanging_in(limit_s) for one in self._workers}
        return {name: method for name, method in found.items() if method}

    def status(self, limit_s: float) -> tuple[SourceStatus, ...]:
        """Return the status of each source."""
        return tuple(source_status(one, limit_s) for one in self._workers)

    @property
    def _workers(self) -> Iterable[SourceWorker]:
        return self._sources.workers

    def _next(self) -> tuple[int, int]:
        configuration = self._plan.configuration
        tick = self._run.tick
        return tick, configuration.start_ms + tick * configuration.tick_ms
