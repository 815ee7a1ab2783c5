"""A copy of a run's course that goes on without an event."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TypeVar

from gridsim.api import Floats, Instruction, State, Tick
from gridsim.errors import PluginError
from gridsim.simulation.counterfactual.sharing import Memo, shared
from gridsim.simulation.course import Course, SharedParts
from gridsim.simulation.fleets import RunningFleet
from gridsim.simulation.scenario import FleetSpec

T = TypeVar("T")


class CourseCopy:
    """A copy of the run's course that is stepped beside it; a failing plugin ends it."""

    def __init__(self, course: Course) -> None:
        self._course = course

    @classmethod
    def of(cls, course: Course) -> CourseCopy:
        """Return a copy within a tick, before events begin. Raises PluginError."""
        return cls(_copied_course(course))

    @classmethod
    def restored(cls, parts: SharedParts, state: State) -> CourseCopy:
        """Return a copy from its state. Raises PluginError or StateError."""
        # A fleet that failed in the run is not in the state.
        course = Course(parts, _skip)
        course.restore(state)
        course.on_disabled = _fail
        return cls(course)

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return self._course.state()

    def follow(self, tick: Tick, meter: Floats, instructions: Sequence[Instruction]) -> Floats:
        """Advance by the tick that the run is in.

        `meter` is the gross load per site, kW. `instructions` are those that the run has
        accepted. Returns the real output of every device, float64[n], kW. Raises PluginError.
        """
        baseline = self._course.baselines.at(tick)
        self._course.decide(instructions, tick)
        return self.flow(tick, meter, baseline)

    def flow(self, tick: Tick, meter: Floats, baseline: Floats) -> Floats:
        """Finish the tick in which the copy was made; see `follow`."""
        course = self._course
        real = course.flow(tick, meter, baseline).real
        demand_response = course.instructed.demand_response
        if demand_response is not None:
            demand_response.take_settlements()
            demand_response.take_changes()
        course.end_tick(tick, is_copy=True)
        return real

    def omit(self, event: str) -> None:
        """Leave out the occurrence of an event that is announced next."""
        if self._course.instructed.demand_response is not None:
            self._course.instructed.demand_response.omit(event)

    def leave_out(self, fleet: int) -> None:
        """Leave out a fleet, by its index in the scenario, from now on."""
        course = self._course
        for one in [one for one in course.fleets.running if one.number == fleet]:
            course.fleets.running.remove(one)
            course.leave_out(one)


def _copied_course(course: Course) -> Course:
    parts, instructed = course.shared, course.instructed
    memo = shared(parts.scenario)
    for part in (parts, parts.call, parts.loads, parts.maker, instructed.faults):
        memo[id(part)] = part
    commands = course.commands.copied(memo)
    memo[id(course.commands)] = commands
    if instructed.demand_response is not None:
        instructed.demand_response.share(memo)
    fleets = [_copied(fleet.title, fleet, memo) for fleet in course.fleets.running]
    baselines = _copied("a baseline", course.baselines, memo)
    copy = object.__new__(Course)
    vars(copy).update(vars(course))
    copy.on_disabled = _fail
    copy.commands, copy.baselines = commands, baselines
    copy.instructed = _copied("the events", instructed, memo)
    copy.fleets = course.fleets.copied(fleets, copy.disable)
    return copy


def _copied(name: str, part: T, memo: Memo) -> T:
    """Return a deep copy of a part. Raises PluginError, with the part's name."""
    try:
        return deepcopy(part, memo)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"cannot copy {name}: {reason}") from error


def _fail(fleet: FleetSpec | RunningFleet, error: PluginError, tick: int) -> None:
    """Raise the error of a fleet that failed in a copy."""
    raise error


def _skip(fleet: FleetSpec | RunningFleet, error: PluginError, tick: int) -> None:
    """Ignore a fleet that failed during creation in the run, too."""
