"""The control of a run by its views."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    Catalogue,
    DeviceView,
    Floats,
    History,
    Instruction,
    PostedAnswer,
    Roster,
    RunStatus,
    Snapshot,
    Span,
)
from gridsim.errors import GridsimError
from gridsim.running.catalogue import make_catalogue
from gridsim.running.monitor.answers import Answers
from gridsim.running.plan import Plan


class ViewedRun(Protocol):
    """The part of a run that its views may use."""

    plan: Plan

    def status(self) -> RunStatus:
        """Return the run's status, at this moment."""

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick; return whether there was room."""

    def pause(self) -> None:
        """Pause after the current tick."""

    def resume(self) -> None:
        """Resume after `pause`."""

    def set_speed(self, speed: float) -> None:
        """Set the speed from the next tick on."""

    def reload(self, *, on_swapped: Callable[[], object]) -> object:
        """Reload the configuration; `on_swapped` is called once the simulation is replaced."""


class ViewedMonitor(Protocol):
    """The part of a monitor that views read."""

    roster: Roster
    answers: Answers

    def snapshot(self, *, fresh: bool = False) -> Snapshot:
        """Return the newest snapshot."""

    def history(self, span: Span) -> History:
        """Return the fleet's past."""

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects."""

    def watch(self, der_id: str) -> DeviceView:
        """Return the view of one device."""

    def close(self) -> None:
        """Take no more results, because no view is left."""


class RunControl:
    """The `Control` of a run."""

    def __init__(self, run: ViewedRun, monitor: ViewedMonitor) -> None:
        self._run = run
        self._monitor = monitor
        self._catalogue: Catalogue | None = None

    @property
    def roster(self) -> Roster:
        """The devices and projects."""
        return self._monitor.roster

    def catalogue(self) -> Catalogue:
        """Return the faults, commands and types of DERs of the run."""
        if self._catalogue is None:
            plan = self._run.plan
            self._catalogue = make_catalogue(plan.registry, plan.configuration.scenario)
        return self._catalogue

    def status(self) -> RunStatus:
        """Return the run's status, at this moment."""
        return self._run.status()

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""
        return self._monitor.snapshot()

    def history(self, span: Span) -> History:
        """Return the fleet's past."""
        return self._monitor.history(span)

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s."""
        return self._monitor.project_history(projects)

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick; return whether there was room."""
        self._monitor.answers.follow(instruction)
        if self._run.post(instruction):
            return True
        self._monitor.answers.forget(instruction)
        return False

    def answers(self, instruction: Instruction) -> Sequence[PostedAnswer] | None:
        """Return the acknowledgements so far of an instruction that a view has posted."""
        return self._monitor.answers.of(instruction)

    def pause(self) -> None:
        """Start no more ticks until `resume`."""
        self._run.pause()

    def resume(self) -> None:
        """Continue after `pause`."""
        self._run.resume()

    def set_speed(self, speed: float) -> None:
        """Change the speed. Raises ValueError for a speed that the run refuses."""
        self._run.set_speed(speed)

    def reload(self) -> None:
        """Reload the configuration. Raises ValueError with the reason if that is not possible."""
        # The views are closed by the reload, so that their thread must not wait for all of it.
        swapped = threading.Event()
        errors: list[GridsimError] = []

        def work() -> None:
            try:
                self._run.reload(on_swapped=swapped.set)
            except GridsimError as error:
                errors.append(error)
            finally:
                swapped.set()

        threading.Thread(target=work, name="reload", daemon=True).start()
        swapped.wait()
        if errors:
            raise ValueError(str(errors[0]))

    def watch(self, der_id: str) -> DeviceView:
        """Return the view of one device, and keep recording the device for the next 30 s."""
        return self._monitor.watch(der_id)
