"""The simulated time that is drawn, as means over its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Roster
from gridsim.config.text.report import ConfigError
from gridsim.contracts.results import TickResult
from gridsim.errors import UsageError
from gridsim.running.durations import seconds
from gridsim.simulation.step import Simulation
from gridsim.simulator.opening import OpenedConfiguration, open_configuration

STEPS: Final = 480
"""The largest number of steps of a picture; most pictures have nearly as many."""
_TICKS = 1440
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900)
_MOST_TICKS = 2_000_000


@dataclass(frozen=True, slots=True)
class PlotChoice:
    """The devices and the time to draw."""

    config: Path
    duration: str = "1d"
    start: str | None = None
    seed: int | None = None
    ders: tuple[str, ...] = ()
    """Patterns of ids; empty: all."""
    projects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """Reported types; empty: all."""
    overrides: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class DrawnEvent:
    """A demand-response event that ran."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """The chosen devices over time: means over steps of equal length, true values."""

    title: str
    timezone: str
    tick_ms: int
    start_ms: int
    step_ms: int
    kw: Mapping[str, Floats]
    """The output of each reported type, summed, kW; positive feeds the sites."""
    soc: Mapping[str, Floats]
    """The mean state of charge of each type with storage, %; NaN where no car is there."""
    load_kw: Floats | None
    """The load of the sites without their DERs; None if only some of their DERs are drawn."""
    events: tuple[DrawnEvent, ...]

    @property
    def net_kw(self) -> Floats | None:
        """The net consumption of the sites."""
        if self.load_kw is None:
            return None
        return self.load_kw - sum(self.kw.values(), np.zeros(len(self.load_kw)))

    @property
    def time_ms(self) -> NDArray[np.int64]:
        """The middle of each step, UTC."""
        steps = len(next(iter(self.kw.values())))
        return self.start_ms + self.step_ms * np.arange(steps) + self.step_ms // 2

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms * len(next(iter(self.kw.values())))


def simulate_day(choice: PlotChoice) -> Day:
    """Simulate the time that is drawn. Raises UsageError and PluginError.

    If the configuration's ticks are too short to be visible, longer ticks are simulated, unless the
    user overrides them.
    """
    duration_ms = round(1000 * seconds(choice.duration, "--duration"))
    opened = _open(choice, duration_ms)
    scenario, tick_ms = opened.configuration.scenario, opened.configuration.tick_ms
    ticks = duration_ms // tick_ms
    if ticks < 2:
        raise UsageError(
            f"--duration: error: {choice.duration} is too short to draw: the run has ticks of "
            f"{tick_ms / 1000:g} s"
        )
    if ticks > _MOST_TICKS:
        raise UsageError(f"--duration: error: {choice.duration} has {ticks:,} ticks, too many")
    rows = _chosen(scenario.roster, choice)
    per_step = -(-ticks // STEPS)
    collector = _Collector(scenario.roster, rows, per_step)
    simulation = Simulation(scenario)
    for _ in range(ticks - ticks % per_step):
        collector.add(simulation.advance(), simulation.start_ms, tick_ms)
    return collector.day(choice.config.name, opened.configuration.timezone, tick_ms)


def _open(choice: PlotChoice, duration_ms: int) -> OpenedConfiguration:
    """Open the configuration, with longer ticks if it permits them."""

    def opened(*overrides: str) -> OpenedConfiguration:
        return open_configuration(
            choice.config,
            seed=choice.seed,
            start=choice.start,
            overrides=(*choice.overrides, *overrides),
            plugins=choice.plugins,
        )

    own = opened()
    tick_ms = own.configuration.tick_ms
    longer = next((s for s in _TICKS_S if duration_ms <= s * 1000 * _TICKS), _TICKS_S[-1])
    is_given = any(one.startswith("simulation.tick_s") for one in choice.overrides)
    if is_given or longer * 1000 <= tick_ms or duration_ms // tick_ms <= 2 * _TICKS:
        return own
    try:
        return opened(f"simulation.tick_s={longer}")
    except ConfigError:
        # For example a report_every_s that is not a whole number of the longer ticks.
        return own


def _chosen(roster: Roster, choice: PlotChoice) -> NDArray[np.intp]:
    """Return the places of the chosen devices. Raises UsageError if a pattern finds none."""
    project = [roster.project_id[place] for place in roster.project.tolist()]
    chosen = np.ones(len(roster), np.bool_)
    for flag, patterns, names in (
        ("--ders", choice.ders, roster.der_id),
        ("--projects", choice.projects, project),
        ("--types", choice.types, roster.type),
    ):
        found = np.zeros(len(roster), np.bool_)
        for pattern in patterns:
            fits = np.array([fnmatchcase(name, pattern) for name in names], np.bool_)
            if not fits.any():
                few = ", ".join(sorted(set(names))[:5])
                raise UsageError(f"{flag}: error: {pattern!r} matches none of {few}, ...")
            found |= fits
        if patterns:
            chosen &= found
    if not chosen.any():
        raise UsageError("gridsim plot: error: no device matches --ders, --projects and --types")
    return np.flatnonzero(chosen)


class _Collector:
    """Sums over the chosen devices and their projects, by step."""

    def __init__(self, roster: Roster, rows: NDArray[np.intp], per_step: int) -> None:
        self._rows = rows
        self._per_step = per_step
        types = [roster.type[row] for row in rows.tolist()]
        self._types = sorted(set(types))
        self._of_type = [
            np.flatnonzero(np.array([one == name for one in types])) for name in self._types
        ]
        sites = np.unique(roster.project[rows])
        whole = np.flatnonzero(np.isin(roster.project, sites))
        self._sites = sites if len(whole) == len(rows) else None
        self._kw: list[list[float]] = [[] for _ in self._types]
        self._soc: list[list[float]] = [[] for _ in self._types]
        self._load: list[float] = []
        self._events: dict[str, tuple[int, int]] = {}
        self._start_ms: int | None = None

    def add(self, result: TickResult, start_ms: int, tick_ms: int) -> None:
        """Add a tick."""
        truth = result.truth
        assert truth is not None, "a tick has its true state"
        self._start_ms = start_ms
        output, soc = truth.output_kw[self._rows], truth.soc[self._rows]
        for place, devices in enumerate(self._of_type):
            self._kw[place].append(float(output[devices].sum()))
            there = soc[devices]
            there = there[~np.isnan(there)]
            self._soc[place].append(float(there.mean()) if len(there) else np.nan)
        if self._sites is not None:
            self._load.append(float(truth.load_kw[self._sites].sum()))
        time_ms = start_ms + result.tick * tick_ms
        for event in truth.events:
            first, _ = self._events.get(event.name, (time_ms, time_ms))
            self._events[event.name] = (first, time_ms + tick_ms)

    def day(self, title: str, timezone: str, tick_ms: int) -> Day:
        """Return the means."""
        assert self._start_ms is not None, "it has a tick"
        soc = {name: self._means(one) for name, one in self._named(self._soc)}
        return Day(
            title,
            timezone,
            tick_ms,
            self._start_ms,
            tick_ms * self._per_step,
            {name: self._means(one) for name, one in self._named(self._kw)},
            {name: one for name, one in soc.items() if not np.isnan(one).all()},
            self._means(self._load) if self._sites is not None else None,
            tuple(DrawnEvent(name, *times) for name, times in self._events.items()),
        )

    def _named(self, values: Sequence[list[float]]) -> Iterator[tuple[str, list[float]]]:
        return zip(self._types, values, strict=True)

    def _means(self, values: list[float]) -> Floats:
        """Return the mean of each step; NaN where a step has no value."""
        parts = np.array(values, np.float64).reshape(-1, self._per_step)
        there = ~np.isnan(parts)
        count = there.sum(axis=1)
        sums = np.where(there, parts, 0.0).sum(axis=1)
        return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
