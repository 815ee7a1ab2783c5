"""Homes with events, and what the messages tell about them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.api import Batch
from gridsim.contracts.results import EventChange, Settlement, TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.text.events import change_line

WINDOW_MS = 300_000

HEAD = """
[simulation]
seed = 7
tick_s = {tick_s}
start = 2026-07-01T20:00:00Z

[site]
timezone = "America/Moncton"

[weather]
type = "clear"

[[transports]]
type = "stdout"
"""


def home(name: str, *, threshold: float = 2.0, battery: str = "", load: str = "") -> str:
    """A project with a battery that can do everything that is asked of it in these tests."""
    contract = f"contract_threshold = {threshold}" if threshold else ""
    load = load or '{ type = "household", annual_kwh = 9000 }'
    return f"""
[[projects]]
id = "{name}"
{contract}
load = {load}

[[projects.ders]]
id = "{name}_BAT"
type = "battery"
nameplate_capacity = 12.0
energy_capacity_kwh = 40.0
initial_soc = 80
losses = "ideal"
{battery}
"""


FLAT = '{ type = "constant", kw = 3.0 }'


def event(name: str = "peak", **settings: Any) -> str:
    settings = {"after_s": 60, "duration_s": 1200, **settings}
    lines = [f"{key} = {value}" for key, value in settings.items() if value is not None]
    return "\n".join(["[[events]]", f'id = "{name}"', *lines, ""])


@dataclass
class Told:
    """The results of a run."""

    settlements: list[Settlement] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    changes: list[Sequence[EventChange]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def take(self, outcome: TickResult) -> None:
        self.settlements += outcome.settlements
        self.notes += [
            (len(self.batches), change_line(one, "America/Moncton")) for one in outcome.changes
        ]
        self.changes.append(outcome.changes)
        self.batches.append(outcome.batch)

    def column(self, name: str) -> Any:
        """float64[ticks, devices]"""
        return np.array([getattr(batch, name) for batch in self.batches])


Run = Callable[..., Told]


def made(folder: Path, text: str, tick_s: float = 5.0) -> Simulation:
    path = folder / "config.toml"
    path.write_text(HEAD.format(tick_s=tick_s) + text)
    return Simulation(make_plan(Options(config=path)).configuration.scenario)


# From the messages alone ---------------------------------------------------------------------

Series = list[tuple[int, Decimal]]
"""The reduction at each time, ms."""


def reductions(payloads: list[bytes]) -> tuple[dict[str, Series], dict[str, Decimal]]:
    """By project: baseline - (meter - sum of its outputs), and its contract_threshold."""
    output: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    rest: dict[tuple[str, int], Decimal] = {}
    thresholds: dict[str, Decimal] = {}
    for payload in payloads:
        record = json.loads(payload, parse_float=Decimal)
        at = datetime.fromisoformat(record["timestamp"])
        key = (record["project_id"], round(at.timestamp() * 1000))
        output[key] += record["current_output"]
        rest[key] = record["baseline"] - record["power_meter_measurement"]
        thresholds[record["project_id"]] = record["contract_threshold"]
    series: dict[str, Series] = defaultdict(list)
    for (project, time_ms), without in rest.items():
        series[project].append((time_ms, without + output[project, time_ms]))
    return series, thresholds


def delivered_kwh(series: Series, own: Settlement, tick_ms: int) -> Decimal:
    times = range(own.start_ms, own.end_ms)
    total = sum((kw for time_ms, kw in series if time_ms in times), Decimal())
    return total * tick_ms / 3_600_000


def violations(
    series: Series, own: Settlement, threshold: Decimal, tick_ms: int
) -> list[tuple[int, int]]:
    """By the definition: the mean over (max(t - 300 s, t0), t] for t0 + 300 s <= t < end.

    A violation that is not over before ends with the event.
    """
    t0, found = own.settled_ms, list[tuple[int, int]]()
    times = [time_ms for time_ms, _ in series]
    assert times == sorted(times)
    for time_ms, _ in series:
        if not t0 + WINDOW_MS <= time_ms < own.end_ms:
            continue
        since = max(time_ms - WINDOW_MS, t0)
        window = [kw for _, kw in series[bisect_right(times, since) : bisect_right(times, time_ms)]]
        if sum(window) / len(window) < threshold:
            end_ms = min(time_ms + tick_ms, own.end_ms)
            if found and found[-1][1] == time_ms:
                found[-1] = (found[-1][0], end_ms)
            else:
                found.append((time_ms, end_ms))
    return found


def replace_framing(plan: Any) -> Any:
    """The plan's json format with a message for each DER."""
    [choice] = plan.configuration.transports
    return choice.format_type(choice.format_settings, "der", plan.configuration.scenario.roster)


# What is asked --------------------------------------------------------------------------------


def net(told: Told, columns: slice = slice(None)) -> Any:
    """Return the power that the site draws, kW, float64[ticks]; all devices belong to it."""
    output = told.column("current_output")[:, columns].sum(axis=1)
    return told.column("power_meter_measurement")[:, columns][:, 0] - output
