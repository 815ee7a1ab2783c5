"""Sentences about events that their projects cannot deliver."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gridsim.api import Floats
from gridsim.errors import PluginError
from gridsim.running.plan import Plan
from gridsim.simulation.demand_response.estimate import Estimate, estimate
from gridsim.simulation.scenario import EventSpec, Scenario
from gridsim.simulation.step import Simulation
from gridsim.text.words import counted

# The largest number of events that are estimated, and of projects that are named for each.
_EVENTS, _NAMED = 8, 3


def shortfall_lines(plan: Plan) -> Iterator[str]:
    """Yield a line for each event whose projects cannot reach its target, by an estimate."""
    scenario = plan.configuration.scenario
    for event in scenario.events[:_EVENTS]:
        if plan.ticks is not None and not _occurs(event, scenario, plan.ticks):
            continue
        try:
            found = estimate(scenario, event, _first_tick)
        except PluginError:
            continue  # The run itself reports the failure.
        if found is not None and found.short:
            yield estimate_line(event.id, found)


def estimate_line(event: str, found: Estimate) -> str:
    """Return the line about an event that its projects cannot deliver."""
    short = found.short
    rigid = found.flexible.count(False)
    about, noun = ("about ", "examined project") if found.scale > 1.0 else ("", "project")
    text = (
        f"event {event}: asked {about}{found.asked_total_kw:,.1f} kW, able "
        f"{about}{found.able_total_kw:,.1f} kW; {len(short):,} of "
        f"{counted(len(found.project_id), noun)} cannot reach the target"
    )
    if rigid:
        text += f", {rigid:,} without a flexible DER"
    named = ", ".join(_project(found, index) for index in short[:_NAMED])
    return f"{text}: {named}{' ...' if len(short) > _NAMED else ''}"


def _project(found: Estimate, index: int) -> str:
    able = max(float(found.able_kw[index]), 0.0)
    return f"{found.project_id[index]} (asked {found.asked_kw[index]:.2f}, able {able:.2f} kW)"


def _occurs(event: EventSpec, scenario: Scenario, ticks: int) -> bool:
    start_ms = event.schedule.first_from(scenario.start_ms)
    return start_ms is not None and start_ms < scenario.start_ms + ticks * scenario.tick_ms


def _first_tick(scenario: Scenario) -> tuple[Floats, Floats]:
    """Return the baseline per site and the output per device of the first tick, kW."""
    batch = Simulation(scenario).step()
    baseline = np.zeros(len(scenario.sites))
    baseline[scenario.roster.project[batch.device]] = batch.baseline
    return baseline, np.asarray(batch.current_output)
