"""What a run says of itself: the plan, a line every few seconds, and the account at its end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from gridsim import __version__
from gridsim.contracts.results import Settlement
from gridsim.delivery import Runner
from gridsim.delivery.timing import percentiles
from gridsim.ledger import Ledger
from gridsim.running.engine import Engine
from gridsim.running.pace import behind_now, is_held, shortfall_lines
from gridsim.running.plan import Plan
from gridsim.simulation.demand_response.settlement import EventTotals, projects
from gridsim.simulation.scenario import Scenario

# What the embedded broker takes; see the README.
EMBEDDED_BROKER_LIMIT = 5_000
# How many events or faults the plan names.
_NAMED = 8


def plan_lines(plan: Plan) -> Iterator[str]:
    """What will run, and where the readings go."""
    configuration = plan.configuration
    roster = configuration.scenario.roster
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(roster.type).items()))
    simulation = configuration.simulation
    yield f"gridsim {__version__}, {plan.config}"
    yield f"{_count(len(roster.project_id), 'project')}, {_count(len(roster), 'DER')}: {kinds}"
    start = datetime.fromtimestamp(configuration.start_ms / 1000, UTC)
    each = f"{simulation.tick_s:g} s"
    length = (
        f"a tick every {each} until Ctrl-C"
        if plan.ticks is None
        else f"{_count(plan.ticks, 'tick')} of {each}"
    )
    yield (
        f"from {start:%Y-%m-%dT%H:%M:%SZ}, {length}, "
        f"{_speed(simulation.speed)}, seed {simulation.seed}"
    )
    yield from _occurring(configuration.scenario)
    for outlet in plan.outlets:
        yield f"{outlet.name}: {_said(outlet.transport.describe)}"
    for inlet in plan.inlets:
        yield f"commands by {inlet.name}: {_said(inlet.source.describe)}"
    if plan.ledger is not None:
        yield f"ledger: {plan.ledger.path}"


def broker_lines(plan: Plan) -> Iterator[str]:
    """Where to look, once the transports are up."""
    for outlet in plan.outlets:
        hint = _said(outlet.transport.hint)
        if hint:
            yield f"watch it: {hint}"
    if not plan.broker.running:
        return
    rate = _readings_per_second(plan)
    if rate > EMBEDDED_BROKER_LIMIT:
        yield (
            f"the embedded broker takes about {EMBEDDED_BROKER_LIMIT:,} messages/s and this run "
            f"makes up to {rate:,.0f}: use Mosquitto for it"
        )


def live_line(engine: Engine, runners: Sequence[Runner]) -> str:
    """How the run is doing."""
    parts = [f"tick {engine.pace.ticks:,}"]
    for runner in runners:
        counters = runner.counters()
        text = f"{runner.name} {counters.delivered:,} delivered"
        if counters.pending:
            text += f", {counters.pending:,} pending"
        lost = counters.dropped.total() + counters.unconfirmed
        if lost:
            text += f", {lost:,} lost"
        if runner.state != "up":
            text += f" ({runner.state})"
        parts.append(text)
    if engine.interval_s:
        p50, _ = percentiles(engine.pace.recent)
        parts.append(f"lag {p50 * 1000:.1f} ms")
    output = engine.output_by_type()
    parts.append(", ".join(f"{kind} {kw:+,.2f} kW" for kind, kw in output.items()))
    behind = behind_now(engine, runners)
    if behind:
        parts.insert(1, f"BEHIND: {behind}")
    return " | ".join(parts)


def closing_lines(
    engine: Engine, runners: Sequence[Runner], elapsed_s: float, cpu_s: float
) -> Iterator[str]:
    """What was done, and what became of every reading."""
    pace = engine.pace
    yield (
        f"{_count(pace.ticks, 'tick')} and {_count(pace.readings, 'reading')} "
        f"in {elapsed_s:.1f} s, CPU {100 * cpu_s / max(elapsed_s, 1e-9):.0f} %"
    )
    if engine.interval_s:
        p50, p99 = percentiles(pace.recent)
        yield (
            f"tick lag p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
            f"worst {pace.worst_s * 1000:.1f} ms; {pace.late_ticks:,} late ticks caught up"
        )
    for failure in engine.simulation.failures:
        yield (
            f"{failure.fleet}: {_count(failure.devices, 'DER')} taken out at tick "
            f"{failure.tick}: {failure.reason}"
        )
    tally = engine.simulation.tally
    if tally is not None:
        yield (
            f"faults touched {tally.touched:,} of {_count(tally.taken, 'reading')}: "
            f"{tally.lost:,} lost, {tally.late:,} late, {tally.altered:,} in altered messages, "
            f"{tally.repeated:,} repeated"
        )
    for runner in runners:
        counters = runner.counters()
        dropped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(counters.dropped.items()))
        yield (
            f"{runner.name}: {counters.accepted:,} accepted = {counters.delivered:,} delivered + "
            f"{counters.dropped.total():,} dropped{f' ({dropped})' if dropped else ''} + "
            f"{counters.unconfirmed:,} unconfirmed + {counters.pending:,} pending"
        )
        if engine.interval_s and runner.timing.settled:
            yield f"{runner.name}: {_lags(runner)}"
    if not is_held(engine, runners):
        yield from shortfall_lines(engine, runners)


def ledger_lines(ledger: Ledger) -> Iterator[str]:
    """Where the truth is, and what it has cost the run."""
    waited = f"; the run waited {ledger.waited_s:.1f} s for it" if ledger.waited_s >= 0.05 else ""
    yield f"ledger: {ledger.path}{waited}"


class EventSummary:
    """What came of the events of a run, by their ids."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._tallies: dict[str, EventTotals] = {}
        self._projects: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, settlements: Iterable[Settlement]) -> None:
        for settlement in settlements:
            name, _, number = settlement.event.partition("#")
            self._times[name] = max(self._times.get(name, 1), int(number or 1))
            self._tallies.setdefault(name, EventTotals()).add((settlement,))
            if settlement.ending != "opted out":
                self._projects[name].add(settlement.project)

    def lines(self) -> Iterator[str]:
        """One for each event that there was."""
        for name, tally in self._tallies.items():
            times, who = self._times[name], projects(len(self._projects[name]))
            if times == 1:
                yield f"event {name}: {tally}"
            else:
                told = tally.told(f"{who} in {_count(tally.took_part, 'turn')}")
                yield f"event {name}, {times:,} times: {told}"


def _occurring(scenario: Scenario) -> Iterator[str]:
    """What is asked of the fleet, and what goes wrong with it."""
    if scenario.events:
        told = (f"{event.id} ({projects(len(event.projects))})" for event in scenario.events)
        yield f"{_count(len(scenario.events), 'event')}: {_some(told)}"
    if scenario.faults:
        told = (f"{fault.id} ({_count(len(fault.device), 'DER')})" for fault in scenario.faults)
        yield f"{_count(len(scenario.faults), 'fault')}: {_some(told)}"


def _some(words: Iterable[str]) -> str:
    """The first of them, where there are many."""
    every = list(words)
    rest = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _lags(runner: Runner) -> str:
    p50, p99 = percentiles(runner.timing.settled)
    text = f"confirmed p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms after its tick"
    if runner.timing.far_end:
        p50, p99 = percentiles(runner.timing.far_end)
        text += f"; broker lag p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"
    return text


def _readings_per_second(plan: Plan) -> float:
    configuration = plan.configuration
    speed = configuration.simulation.speed or np.inf
    interval = configuration.scenario.report_every_ticks * configuration.tick_ms / 1000
    return float((speed / interval).sum())


def _speed(speed: float) -> str:
    if not speed:
        return "as fast as it can"
    return "in real time" if speed == 1 else f"at {speed:g} times real time"


def _said(text: Callable[[], str]) -> str:
    """What a plugin says of itself; no run ends because it cannot."""
    try:
        return text()
    except (Exception, SystemExit) as error:
        return f"(its description failed: {type(error).__name__}: {error})"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
