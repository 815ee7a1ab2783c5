"""The description of a simulator's fleet in five lines, and as HTML."""

from __future__ import annotations

from collections import Counter

import numpy as np

from gridsim.api import Roster
from gridsim.contracts.truth import TickTruth
from gridsim.simulator.opening import OpenedConfiguration
from gridsim.simulator.showing import pairs_html
from gridsim.text.words import counted, site_time

_NAMED = 3
"""The largest number of events or faults that are named."""


def fleet_lines(
    opened: OpenedConfiguration, tick: int, last: TickTruth | None, pending: int
) -> list[str]:
    """Return five lines: the configuration, the fleet, the time, the power, the running events and
    faults.
    """
    configuration = opened.configuration
    scenario, zone = configuration.scenario, configuration.timezone
    roster = scenario.roster
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(Counter(roster.type).items()))
    now_ms = scenario.start_ms + tick * scenario.tick_ms
    running = [
        _named("event", [event.name for event in last.events] if last else []),
        _named("fault", [name for name, _ in last.running_faults] if last else []),
        counted(pending, "pending instruction"),
    ]
    return [
        f"Simulator of {opened.name}, seed {configuration.simulation.seed}",
        f"{counted(len(roster.project_id), 'project')}, {counted(len(roster), 'DER')}: {kinds}",
        f"{site_time(now_ms, zone)} ({zone}), {counted(tick, 'tick')} of "
        f"{scenario.tick_ms / 1000:g} s since {site_time(scenario.start_ms, zone)}",
        _power(roster, last),
        ", ".join(running),
    ]


def fleet_html(lines: list[str], roster: Roster, last: TickTruth | None) -> str:
    """Return a table with a row for each type of DER, and the lines as its caption."""
    rows = []
    for kind, place in _types(roster).items():
        capacity = f"{roster.nameplate_capacity[place].sum():,.2f}"
        output = "" if last is None else f"{last.output_kw[place].sum():+,.2f}"
        rows.append((kind, f"{len(place):,}", capacity, output))
    heads = ("type", "DERs", "nameplate capacity, kW", "output, kW")
    return pairs_html("; ".join(lines), heads, rows)


def _power(roster: Roster, last: TickTruth | None) -> str:
    if last is None:
        return "no tick yet"
    outputs = [
        f"{kind} {last.output_kw[place].sum():+,.2f} kW" for kind, place in _types(roster).items()
    ]
    load = float(last.load_kw.sum())
    net = load - float(last.output_kw.sum())
    return ", ".join([f"load {load:,.2f} kW", *outputs, f"net {net:,.2f} kW"])


def _types(roster: Roster) -> dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Return the devices of each type."""
    kinds = np.array(roster.type)
    return {kind: np.flatnonzero(kinds == kind) for kind in sorted(set(roster.type))}


def _named(what: str, names: list[str]) -> str:
    text = f"{counted(len(names), what)} running"
    if not names:
        return text
    more = ", ..." if len(names) > _NAMED else ""
    return f"{text} ({', '.join(names[:_NAMED])}{more})"
