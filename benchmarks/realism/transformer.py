"""Days of one transformer: homes, cars, heat pumps, solar and batteries of a village street."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, note
from gridsim.api import Floats
from gridsim.simulation.step import Simulation

_HOMES, _RATED_KVA, _MINUTES = 100, 400.0, 1440
_DAYS = {"Tuesday 13 January": "2026-01-13T00:00:00+01:00",
         "Sunday 14 June": "2026-06-14T00:00:00+02:00"}  # fmt: skip
_CONFIG = """
[simulation]
seed = 5
tick_s = 60.0
start = %s
[site]
latitude = { uniform = [48.100, 48.104] }
longitude = { uniform = [11.600, 11.606] }
altitude = 520.0
timezone = "Europe/Berlin"
[weather]
type = "synthetic"
"""
_HOME = """
[[projects]]
id = "%s_{n}"
count = %d
load = { type = "household", annual_kwh = 4000 }
"""
_DERS = {
    "PV": 'type = "solar"\nnameplate_capacity = { uniform = [4.0, 10.0] }\n'
          "azimuth = { uniform = [110.0, 250.0] }",
    "BAT": 'type = "battery"\nnameplate_capacity = 5.0\nenergy_capacity_kwh = 10.0',
    "EV": 'type = "ev_charger"\nnameplate_capacity = 11.0',
    "HP": 'type = "heat_pump"\nnameplate_capacity = 4.0',
    "WH": 'type = "water_heater"\nnameplate_capacity = 2.0',
}  # fmt: skip
_STREET = {"SUN": (20, ("PV",)), "FULL": (15, ("PV", "BAT", "EV")), "CAR": (15, ("EV",)),
           "WARM": (20, ("HP",)), "PLAIN": (30, ("WH",))}  # fmt: skip
"""The number of homes of each kind, and what they own."""
_KINDS = {"solar": "solar", "battery_storage": "batteries", "ev_charger": "EV chargers",
          "heat_pump": "heat pumps", "water_heater": "water heaters"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Day:
    """The power by minute, kW; consumption is positive."""

    load: Floats
    parts: Mapping[str, Floats]
    """The power by name of `_KINDS`."""

    @property
    def net(self) -> Floats:
        total: Floats = self.load + np.sum(list(self.parts.values()), axis=0)
        return total


def run(plots: Path) -> Group:
    about = f"""{_HOMES} homes near Munich of 4,000 kWh a year in the mean behind a transformer of
{_RATED_KVA:g} kVA, at ticks of a minute: 35 with solar, 15 of these with a battery; 30 with an EV
charger of 11 kW; 20 with a heat pump; 30 with an electric water heater. A winter and a summer day
under the weather `synthetic`, from the emitted batches."""
    days = {name: _run(start) for name, start in _DAYS.items()}
    _plot(plots, days)
    winter, summer = days.values()
    figure = Figure("transformer.png", f"Two days of a transformer with {_HOMES} homes: what is "
                    "drawn and fed in by kind, and the sum, means of a minute.")  # fmt: skip
    return Group("One transformer", about, [*_checks(winter, summer)], [figure])


def _run(start: str) -> _Day:
    config = _CONFIG % start
    for name, (count, ders) in _STREET.items():
        config += _HOME % (name, count)
        for kind in ders:
            config += f'[[projects.ders]]\nid = "{{project_id}}_{kind}"\n{_DERS[kind]}\n'
    scenario = scenario_of(config)
    simulation = Simulation(scenario)
    kinds, project = np.array(scenario.roster.type), scenario.roster.project
    first = np.unique(project, return_index=True)[1]
    load = np.empty(_MINUTES)
    parts = {name: np.empty(_MINUTES) for name in _KINDS.values()}
    for minute in range(_MINUTES):
        batch = simulation.step()
        # Each device of a home carries the home's meter.
        load[minute] = batch.power_meter_measurement[first].sum()
        for kind, name in _KINDS.items():
            parts[name][minute] = -batch.current_output[kinds == kind].sum()
    return _Day(load, parts)


def _checks(winter: _Day, summer: _Day) -> list[Check]:
    peak, reverse = float(winter.net.max()), float(-summer.net.min())
    alone = float(winter.load.reshape(48, 30).mean(axis=1).max()) / _HOMES
    sun = -summer.parts["solar"]
    return [
        at_most("largest power in winter", _RATED_KVA, peak, "the transformer's rating", unit="kW"),
        at_least("  over the homes' own load at that time", 1.2,
                 peak / float(winter.load[winter.net.argmax()]), "cars and heat pumps add to it"),
        note("half-hour peak of the homes' own load, per home", f"{alone:.2f} kW",
             "design without electric heating: 2 kW (CLNR-L217, 2015)"),
        at_least("fed back in summer", 0.3 * float(sun.max()), reverse, "35 % of the homes have "
                 "solar, about 7 kW each", unit="kW"),
        note("energy of the summer day: solar, drawn from the grid, fed back",
             f"{sun.sum() / 60.0:.0f}, {np.maximum(summer.net, 0.0).sum() / 60.0:.0f}, "
             f"{np.maximum(-summer.net, 0.0).sum() / 60.0:.0f} kWh", "-"),
    ]  # fmt: skip


def _plot(plots: Path, days: Mapping[str, _Day]) -> None:
    figure, axes = canvas(2, 1, size=(10, 8), sharex=True)
    hour = np.arange(_MINUTES) / 60.0
    for axis, (title, day) in zip(axes, days.items(), strict=True):
        up, down = np.zeros(_MINUTES), np.zeros(_MINUTES)
        for number, (name, part) in enumerate({"homes' load": day.load, **day.parts}.items()):
            drawn, fed = np.maximum(part, 0.0), np.minimum(part, 0.0)
            color = f"C{number}"
            axis.fill_between(hour, up, up + drawn, color=color, alpha=0.6, lw=0, label=name)
            axis.fill_between(hour, down, down + fed, color=color, alpha=0.6, lw=0)
            up, down = up + drawn, down + fed
        axis.plot(hour, day.net, "k", lw=0.9, label="the transformer")
        axis.set(ylabel="kW", xlim=(0, 24), xticks=range(0, 25, 2))
        axis.set_title(title, loc="left")
    axes[0].legend(ncols=4, fontsize=8, loc="upper left")
    axes[0].set_ylim(None, 1.35 * max(day.net.max() for day in days.values()))
    axes[1].set_xlabel("hour, local time; drawn from the grid is positive")
    save(figure, plots, "transformer.png", dpi=90)
