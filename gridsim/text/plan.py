"""The text of a plan: the fleet, the time, the transports and the sources."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial

import numpy as np

from gridsim.contracts.fault import is_instrument
from gridsim.contracts.status import RunStatus
from gridsim.errors import described, is_interrupt, printable
from gridsim.running.plan import Plan
from gridsim.simulation.scenario import Scenario
from gridsim.text.estimates import shortfall_lines
from gridsim.text.words import counted, site_time
from gridsim.version import __version__

# The largest number of events or faults that the plan names.
_NAMED = 8


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the fleet, the time, and where the readings go."""
    configuration = plan.configuration
    roster = configuration.scenario.roster
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(roster.type).items()))
    simulation = configuration.simulation
    yield f"gridsim {__version__}, {plan.config}"
    yield f"{counted(len(roster.project_id), 'project')}, {counted(len(roster), 'DER')}: {kinds}"
    if (shard := plan.options and plan.options.shard) and not shard.is_whole:
        yield f"shard {shard.name}: a part of the projects, which other processes complete"
    elif (execution := configuration.execution).engine != "local":
        yield f"shards: {execution.shards}, engine {execution.engine}, sync {execution.sync}"
    elif execution.shards != "auto":
        yield f'no shards: {execution.shards} need engine = "processes" or "ray" in [execution]'
    start = datetime.fromtimestamp(configuration.start_ms / 1000, UTC)
    each = f"{simulation.tick_s:g} s"
    length = (
        f"a tick every {each} until Ctrl-C"
        if plan.ticks is None
        else f"{counted(plan.ticks, 'tick')} of {each}"
    )
    # A playback draws no random numbers, and no clock of a site decides what is in it.
    is_played = plan.simulation is not None
    seed = "" if is_played else f", seed {simulation.seed}"
    yield f"from {start:%Y-%m-%dT%H:%M:%SZ}, {length}, {_speed(simulation.speed)}{seed}"
    if plan.goes_live:
        past_s = max(time.time() - configuration.start_ms / 1000, 0.0)
        ticks = int(past_s / simulation.tick_s) + 1
        yield (
            f"backfill to now: {counted(ticks, 'tick')}, up to "
            f"{_per_simulated_second(plan) * ticks * simulation.tick_s:,.0f} readings, as fast as "
            "possible; a slow transport makes the run wait"
        )
    if configuration.epoch_ms is not None and simulation.speed:
        epoch = datetime.fromtimestamp(configuration.epoch_ms / 1000, UTC)
        yield f"the first tick is due at {epoch:%Y-%m-%dT%H:%M:%SZ} in real time"
    if not is_played:
        at_site = site_time(configuration.start_ms, configuration.timezone)
        yield f"the site's clock: {at_site}, {configuration.timezone}"
    yield from caveat_lines(plan)
    yield from _occurring(configuration.scenario)
    yield from shortfall_lines(plan)
    for transport in plan.transports:
        yield f"{transport.name}: {_description(transport.transport.describe)}"
        if (spool := transport.spool) is not None:
            yield f"spool: {spool.path}, up to {spool.limit_bytes / 1e6:.4g} MB"
    for source in plan.sources:
        yield f"commands by {source.name}: {_description(source.source.describe)}"
    if plan.ledger is not None:
        yield f"ledger: {plan.ledger.path}"
    if (checkpoint := plan.checkpoint) is not None:
        yield f"checkpoints: {checkpoint.path}, every {checkpoint.every_s:g} s"
        if checkpoint.why_new:
            yield f"--resume: {checkpoint.why_new}, so a new run starts"


def caveat_lines(plan: Plan) -> Iterator[str]:
    """Yield the caveats of the baselines."""
    baselines = plan.configuration.scenario.baselines
    # Several stanzas may have the same type.
    yield from dict.fromkeys(
        f"baseline {baseline.name}: {baseline.type.caveat}"
        for baseline in baselines
        if baseline.type.caveat
    )


def example_lines(plan: Plan) -> Iterator[str]:
    """Yield an example message of each transport whose format the user has defined."""
    for transport in plan.transports:
        try:
            example = transport.format.example()
        except Exception as error:
            example = f"(its example failed: {described(error)})"
        if example:
            yield f"{transport.name}: a message, with typical values: {example}"


def transport_lines(status: RunStatus) -> Iterator[str]:
    """Yield the hints of the transports once they are connected."""
    for transport in status.transports:
        if transport.hint:
            yield f"watch it: {transport.hint}"


def view_lines(status: RunStatus) -> Iterator[str]:
    """Yield the addresses of the views, once they have started."""
    for view in status.views:
        if view.state == "up" and view.where:
            yield f"watch it at {view.where}"


def transport_warnings(plan: Plan) -> Iterator[str]:
    """Yield the warnings of the transports once they are connected."""
    speed = plan.configuration.simulation.speed
    rate = _per_simulated_second(plan) * (np.inf if plan.goes_live or not speed else speed)
    warnings = [
        _description(partial(transport.transport.warning, rate)) for transport in plan.transports
    ]
    # Two transports may give the same warning.
    yield from dict.fromkeys(warning for warning in warnings if warning)


def _occurring(scenario: Scenario) -> Iterator[str]:
    """Yield the events and the faults."""
    if scenario.events:
        names = (
            f"{event.id} ({counted(len(event.projects), 'project')})" for event in scenario.events
        )
        yield f"{counted(len(scenario.events), 'event')}: {_some(names)}"
    for instruments, title in ((True, "instrument errors"), (False, "")):
        specs = [one for one in scenario.faults if is_instrument(one.type) == instruments]
        if specs:
            names = (f"{one.id} ({counted(len(one.device), 'DER')})" for one in specs)
            yield f"{title or counted(len(specs), 'fault')}: {_some(names)}"


def _some(words: Iterable[str]) -> str:
    """Join the first few and count the rest."""
    every = list(words)
    rest = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _per_simulated_second(plan: Plan) -> float:
    """Return the largest number of readings in a second of simulated time."""
    configuration = plan.configuration
    interval = configuration.scenario.shortest_report_ticks * configuration.tick_ms / 1000
    return float((1.0 / interval).sum())


def _speed(speed: float) -> str:
    if not speed:
        return "as fast as possible"
    return "in real time" if speed == 1 else f"at {speed:g} times real time"


def _description(text: Callable[[], str]) -> str:
    """Return a plugin's text, or its error: a failed description does not end a run."""
    try:
        said = text()
        return printable(said) if isinstance(said, str) else f"(no text: {type(said).__name__})"
    except BaseException as error:
        if is_interrupt(error):
            raise
        return f"(its description failed: {described(error)})"
