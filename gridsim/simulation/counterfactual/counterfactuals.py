"""The copies of a simulation that go on without an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Acknowledgement, ClearFault, Floats, InjectFault, Instruction, State, Tick
from gridsim.contracts.results import TrueReduction, UnmeasuredEvent
from gridsim.errors import PluginError
from gridsim.simulation.counterfactual.account import TruthAccount
from gridsim.simulation.demand_response.events import DemandResponse
from gridsim.simulation.demand_response.settlement import Hundredths
from gridsim.simulation.scenario import Scenario

if TYPE_CHECKING:
    from gridsim.simulation.counterfactual.copies import CourseCopy
    from gridsim.simulation.demand_response.occurrence import Occurrence

MAX_BRANCHES: Final = 8
"""The largest number of copies at once; events beyond it are not measured."""


@dataclass(slots=True, eq=False)
class _Branch:
    """A copy of the run's course without some events, which have no project in common."""

    copy: CourseCopy
    claimed: NDArray[np.bool_]
    """bool[sites], True for the projects of its events."""
    accounts: list[TruthAccount] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    """The names of the events that it leaves out and that have no account yet."""
    power: Floats | None = None
    """The output of every device in the present tick, kW."""

    def leaves_out(self, name: str) -> bool:
        """Return whether it goes on without this occurrence of an event."""
        return name in self.found or any(account.name == name for account in self.accounts)


class Counterfactuals:
    """The copies of a run, and the accounts of its events.

    A copy branches when an event is announced, and goes on without it until the end of the
    rebound. It gets the same weather, loads, instructions and other events. Events without a
    common project share a copy, so that any number of them costs at most one more step.
    """

    def __init__(self, scenario: Scenario, fork: Callable[[], CourseCopy]) -> None:
        """Take the function that returns a copy of the run's course within a tick."""
        self._scenario = scenario
        self._fork = fork
        self._records = scenario.rebound_ms is not None
        self._branches: list[_Branch] = []
        self._results: list[TrueReduction] = []
        self._unmeasured: list[UnmeasuredEvent] = []
        self._sites = counterfactual_sites(scenario)
        """bool[sites], True for the projects whose baseline is the counterfactual."""
        self.has_baselines = bool(self._sites.any())
        self._within = np.zeros(len(scenario.sites), np.bool_)
        """True for those of these projects that have a running event in the present tick."""

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks. Raises StateError."""
        return {
            "branches": [
                {
                    "claimed": branch.claimed.copy(),
                    "accounts": [account.state() for account in branch.accounts],
                    "simulation": branch.copy.state(),
                }
                for branch in self._branches
            ]
        }

    def restore(
        self, state: State, made: Callable[[State], CourseCopy], own: DemandResponse | None
    ) -> None:
        """Continue from a checkpoint's state. `made` returns a copy from its state."""
        for one in state["branches"]:
            branch = _Branch(made(one["simulation"]), np.array(one["claimed"]))
            for account_state in one["accounts"]:
                account = self._account(None)
                account.restore(account_state, own.live if own else ())
                branch.accounts.append(account)
            self._branches.append(branch)

    def begin(
        self,
        tick: Tick,
        meter: Floats,
        baseline: Floats,
        own: DemandResponse,
        instructions: Sequence[Instruction],
        answers: Sequence[Acknowledgement],
    ) -> None:
        """Step the copies, before the simulation itself begins and ends the events of the tick.

        `meter` and `baseline` are per site, kW. `answers` are the acknowledgements of
        `instructions` so far.
        """
        due = own.due(tick.time_ms)
        if due and not self._records:
            due = [(name, projects) for name, projects in due if self._sites[projects].any()]
        if not (due or self._branches):
            return
        branches = [*self._branches]
        for name, projects in due:
            self._leave_out(name, projects)
        accepted = _accepted(instructions, answers) if instructions else ()
        for branch in [*self._branches]:
            try:
                if branch in branches:
                    branch.power = branch.copy.follow(tick, meter, accepted)
                else:
                    branch.power = branch.copy.flow(tick, meter, baseline)
            except PluginError as error:
                self._drop(branch, f"its copy failed: {error}")

    def adjust(self, baseline: Floats, meter: Floats, running: Sequence[Occurrence]) -> None:
        """Set the counterfactual baselines of projects with a running event, in place.

        All are per site, kW. `running` are the occurrences that run in this tick.
        """
        for own in running:
            follow = own.running & ~own.opted_out
            site = own.site[follow & self._sites[own.site]]
            self._within[site] = True
            branch = next((one for one in self._branches if one.leaves_out(own.name)), None)
            if branch is not None and branch.power is not None and len(site):
                baseline[site] = self._net(meter, branch.power)[site]

    def adjust_outside(self, baseline: Floats, meter: Floats, power: Floats) -> None:
        """Set the counterfactual baselines of all other projects to their net consumption, in
        place.

        `power` is the output of every device, kW.
        """
        if self.has_baselines:
            outside = self._sites & ~self._within
            baseline[outside] = self._net(meter, power)[outside]
            self._within[:] = False

    def _net(self, meter: Floats, power: Floats) -> Floats:
        """Return the sites' net consumption, kW, of values rounded like the readings."""
        net: Floats = (np.rint(meter * 100.0) - self._hundredths(power)) / 100.0
        return net

    def add(self, time_ms: int, power: Floats, own: DemandResponse) -> None:
        """Add the tick's output of every device, kW, to the accounts; end those that are over."""
        if not self._branches:
            return
        output = self._hundredths(power)
        for branch in [*self._branches]:
            for name in branch.found:
                branch.accounts += [self._account(one) for one in own.live if one.name == name]
            branch.found.clear()
            if branch.power is not None:
                reduced = output - self._hundredths(branch.power)
                for account in branch.accounts:
                    self._results += account.add(time_ms, reduced)
            branch.accounts = [account for account in branch.accounts if not account.done]
            if not branch.accounts:
                self._branches.remove(branch)

    def disable(self, fleet: int) -> None:
        """Leave out a fleet that failed, by its index in the scenario."""
        for branch in self._branches:
            branch.copy.leave_out(fleet)

    def finish(self) -> None:
        """End all accounts at the run's end."""
        for branch in self._branches:
            for account in branch.accounts:
                self._results += account.finish()
        self._branches.clear()

    def give_up(self, reason: str) -> None:
        """End all copies; their events will have no true reduction, for this reason."""
        for branch in [*self._branches]:
            self._drop(branch, reason)

    def take_results(self) -> tuple[TrueReduction, ...]:
        """Return the true reductions since the last call."""
        taken, self._results = tuple(self._results), []
        return taken if self._records else ()

    def take_unmeasured(self) -> tuple[UnmeasuredEvent, ...]:
        """Return the events since the last call whose true reduction will not be known."""
        taken, self._unmeasured = tuple(self._unmeasured), []
        return taken

    def _leave_out(self, name: str, projects: NDArray[np.intp]) -> None:
        """Find or make the copy without an event that is announced now."""
        branch = next((one for one in self._branches if not one.claimed[projects].any()), None)
        if branch is None:
            if len(self._branches) >= MAX_BRANCHES:
                reason = f"its projects have more than {MAX_BRANCHES} events at once"
                self._unmeasured.append(UnmeasuredEvent(name, reason))
                return
            try:
                made = self._fork()
            except PluginError as error:
                self._unmeasured.append(UnmeasuredEvent(name, str(error)))
                return
            branch = _Branch(made, np.zeros(len(self._scenario.sites), np.bool_))
            self._branches.append(branch)
        branch.claimed[projects] = True
        branch.found.append(name)
        branch.copy.omit(name)

    def _drop(self, branch: _Branch, reason: str) -> None:
        names = [*branch.found, *(account.name for account in branch.accounts)]
        self._unmeasured += [UnmeasuredEvent(name, reason) for name in names]
        self._branches.remove(branch)

    def _account(self, occurrence: Occurrence | None) -> TruthAccount:
        scenario = self._scenario
        rebound_ms = scenario.rebound_ms or 0
        return TruthAccount(scenario.roster.project_id, scenario.tick_ms, rebound_ms, occurrence)

    def _hundredths(self, power: Floats) -> Hundredths:
        """Return the sites' output of values rounded like the readings: int64[sites]."""
        sites = len(self._scenario.sites)
        output = np.bincount(self._scenario.roster.project, np.rint(power * 100.0), sites)
        return output.astype(np.int64)


def counterfactual_sites(scenario: Scenario) -> NDArray[np.bool_]:
    """Return a mask of the sites whose baseline is the counterfactual."""
    sites = np.zeros(len(scenario.sites), np.bool_)
    for spec in scenario.baselines:
        if spec.type.counterfactual:
            sites[spec.members.site] = True
    return sites


def _accepted(
    instructions: Sequence[Instruction], answers: Sequence[Acknowledgement]
) -> list[Instruction]:
    """Return the instructions that the simulation has accepted, without those about faults.

    A fault changes readings and not the physics.
    """
    accepted = {(one.target, one.id) for one in answers if one.status != "rejected"}
    kept: list[Instruction] = []
    for instruction in instructions:
        name = (instruction.target, instruction.id)
        if name in accepted and not isinstance(instruction, InjectFault | ClearFault):
            accepted.discard(name)
            kept.append(instruction)
    return kept
