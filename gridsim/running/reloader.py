"""The reload of a run's configuration while its ticks go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from gridsim.contracts.results import Reloaded, TickResult
from gridsim.errors import GridsimError, UsageError
from gridsim.ledger import About
from gridsim.running.board import Board
from gridsim.running.checkpoint_plan import CheckpointPlan
from gridsim.running.engine import Engine
from gridsim.running.parts import PlannedView
from gridsim.running.parts_reload import PartsReload, PartsReloader
from gridsim.running.plan import Plan, make_plan
from gridsim.running.remake import check_kept, has_other_devices, same_choice
from gridsim.running.viewing import Viewing
from gridsim.running.views import Views
from gridsim.running.workers import Workers
from gridsim.simulation.reload.swap import prepare, swap
from gridsim.simulation.step import Simulation

_CLOSE_VIEWS_S: Final = 5.0
_LEDGER_S: Final = 10.0


def remake_plan(plan: Plan) -> Plan:
    """Read the configuration of a run again, and check all of it. Raises UsageError."""
    if plan.options is None or plan.recorded is not None:
        raise UsageError("a run that repeats another one cannot be reloaded")
    return make_plan(plan.options, files="inputs", reloads=plan)


@dataclass(slots=True)
class _Swapped:
    """The parts of a swap that has been made."""

    plan: Plan
    reloaded: Reloaded
    parts: PartsReload
    views: Views | None
    """The views until then, if others follow."""


class ReloadedRun(Protocol):
    """The part of a run that its reload uses."""

    plan: Plan

    def set_speed(self, speed: float) -> None:
        """Set the speed from the next tick on."""

    def continue_with(self, plan: Plan, simulation: Simulation) -> None:
        """Take over the plan of a reload."""


@dataclass(frozen=True, slots=True, eq=False)
class Reloader:
    """The parts of a run that a reload changes."""

    engine: Engine
    board: Board
    workers: Workers
    viewing: Viewing
    stopping: threading.Event
    over: threading.Event
    wake_s: Callable[[], float]
    """The function that returns the real time between wake-ups that delivery must keep."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reload(
        self, run: ReloadedRun, plan: Plan | None, on_swapped: Callable[[], object] | None = None
    ) -> Reloaded:
        """Continue with another plan from the next tick on; None: that of the same options.

        The new simulation is made while ticks go on. Raises GridsimError; nothing has changed
        then.
        """
        with self.lock:
            older = run.plan
            new = remake_plan(older) if plan is None else plan
            reloaded = self._swap(older, new, run.continue_with, on_swapped)
        speed = new.configuration.simulation.speed
        if speed != older.configuration.simulation.speed:
            run.set_speed(speed)
        return reloaded

    def _swap(
        self,
        older: Plan,
        new: Plan,
        set_plan: Callable[[Plan, Simulation], None],
        on_swapped: Callable[[], object] | None,
    ) -> Reloaded:
        ledger = self.workers.ledger
        if ledger is not None:
            ledger.sync(_LEDGER_S)
        check_kept(older, new)
        simulation = Simulation(new.configuration.scenario)
        prepare(older.configuration.scenario, simulation, self.engine.tick)
        views = _views(older, new)
        other = has_other_devices(
            older.configuration.scenario, new.configuration.scenario
        ) or not _same_views(older, replace(new, views=views))
        made: list[_Swapped] = []

        def exchange(present: Simulation) -> tuple[Simulation, TickResult]:
            result = swap(present, simulation, Reloaded(_digest(new)))
            assert result.reload is not None
            swapped = self._exchange(
                older, replace(new, views=views), simulation, result.reload, other
            )
            made.append(swapped)
            # Before the checkpoint that is taken now.
            new.alterations.keep_configured()
            for injected in result.injected:
                new.alterations.add_injected(injected)
            if ledger is not None and new.about is not None:
                ledger.reload(new.about)
            set_plan(swapped.plan, simulation)
            return simulation, replace(result, reload=swapped.reloaded)

        if not self.engine.swap(exchange, simulation):
            raise GridsimError("the run is over")
        if on_swapped is not None:
            on_swapped()
        swapped = made[0]
        swapped.parts.finish(self.over.is_set)
        if swapped.views is not None:
            swapped.views.close(_CLOSE_VIEWS_S)
        if swapped.views is not None or not older.views:
            self.viewing.start(self.stopping)
        return swapped.reloaded

    def _exchange(
        self, older: Plan, new: Plan, simulation: Simulation, reloaded: Reloaded, other: bool
    ) -> _Swapped:
        """Replace all parts but the simulation. Called between two ticks."""
        views = None
        if other:
            self.board.change_roster(simulation.roster)
            views = self.viewing.change(new)
        wake_s, trace, workers = self.wake_s(), self.viewing.trace, self.workers
        reloader = PartsReloader(
            older,
            new,
            new_runner=lambda one, index: workers.new_runner(one, index, wake_s, trace),
            new_source=lambda one: workers.new_source(one, trace),
        )
        parts = reloader.make(
            self.workers.runners,
            self.workers.sources.workers,
            first=simulation.left,
            trace=trace,
            other_devices=other,
        )
        self.workers.change(parts)
        plan = replace(
            new,
            transports=parts.transports,
            ledger=older.ledger,
            checkpoint=_checkpoint(older, new),
            about=_about(older, new),
            views=new.views if other else older.views,
            ticks=older.ticks,
        )
        ended = parts.ended
        for runner in parts.retired:
            runner.name = f"{runner.name} until tick {reloaded.tick}"
        reloaded = replace(reloaded, started=parts.started, ended=ended)
        return _Swapped(plan, reloaded, parts, views)


def _checkpoint(older: Plan, new: Plan) -> CheckpointPlan | None:
    if older.checkpoint is None or new.checkpoint is None:
        return older.checkpoint
    return replace(older.checkpoint, keys=new.checkpoint.keys)


def _about(older: Plan, new: Plan) -> About | None:
    if older.about is None or new.about is None:
        return new.about
    return replace(new.about, run=older.about.run)


def _digest(plan: Plan) -> str:
    return "" if plan.about is None else plan.about.configuration_hash


def _views(older: Plan, new: Plan) -> tuple[PlannedView, ...]:
    """Return the views of the new plan, without those that the command line has left out."""
    configured = {one.name for one in older.configuration.views}
    left_out = configured - {one.name for one in older.views}
    return tuple(one for one in new.views if one.name not in left_out)


def _same_views(older: Plan, new: Plan) -> bool:
    before = {one.name: one for one in older.configuration.views}
    after = {one.name: one for one in new.configuration.views}
    names = [one.name for one in new.views]
    return names == [one.name for one in older.views] and all(
        same_choice(before[name], after[name]) for name in names
    )
