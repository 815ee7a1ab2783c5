"""A week of one home as a picture, and its energy balance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, note
from gridsim.api import Floats
from gridsim.simulation.step import Simulation

_TICKS = 7 * 1440
_LATE_S = 1.1 + 0.6
"""The dead time and the time constant of a battery by default: see the group of batteries."""
_CONFIG = """
[simulation]
seed = 21
tick_s = 60.0
start = 2026-05-04T00:00:00+02:00
[site]
latitude = 48.1
longitude = 11.6
altitude = 520.0
timezone = "Europe/Berlin"
[weather]
type = "synthetic"
[[projects]]
id = "HOME"
load = { type = "household", annual_kwh = 4500 }
[[projects.ders]]
id = "HOME_PV"
type = "solar"
nameplate_capacity = 7.0
tilt = 30.0
[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[projects.ders]]
id = "HOME_EV"
type = "ev_charger"
nameplate_capacity = 11.0
phases = 3
volts = 230.0
"""


def run(plots: Path) -> Group:
    about = """One home near Munich for a week in May at ticks of a minute, from the emitted
batches: 4500 kWh a year, 7 kW of solar, a battery of 5 kW and 10 kWh on self-consumption, an EV
charger of 11 kW. Net consumption is the meter's measurement less the sum of the outputs."""
    simulation = Simulation(scenario_of(_CONFIG))
    batches = [simulation.step() for _ in range(_TICKS)]
    load = np.array([batch.power_meter_measurement[0] for batch in batches])
    power = np.array([batch.current_output for batch in batches])
    soc = np.array([batch.current_soc for batch in batches])
    net = load - power.sum(axis=1)
    _plot(plots, load, power, soc, net)
    caption = "A week of a home: load, solar, battery, EV and net, and the states of charge."
    checks = _checks(load, power, soc, net)
    return Group("A week of a home", about, checks, [Figure("home-week.png", caption)])


def _checks(load: Floats, power: Floats, soc: Floats, net: Floats) -> list[Check]:
    solar, battery, car = power.T / 60.0
    state = soc[:, 1]
    free = (state > 15.1) & (state < 89.9)
    without = load - power[:, 0] - power[:, 2]
    able = free & (np.abs(without) < 4.9) & (np.abs(without) > 0.2)
    # Of a step, the dead time and the lag leave this part of the minute.
    left = _LATE_S / 60.0 * np.abs(np.diff(without, prepend=without[0]))
    source = "self-consumption brings the site to zero while the battery can"
    stored = (state[-1] - state[0]) / 10.0
    given, taken = battery[battery > 0].sum(), -battery[battery < 0].sum()
    efficiency = (given + max(stored, 0.0)) / (taken + max(-stored, 0.0))
    return [
        note("solar in the week", f"{solar.sum():.1f} kWh", "-"),
        note("load and EV", f"{load.sum() / 60:.1f} and {-car.sum():.1f} kWh", "-"),
        note("battery, round trip in use (few loads are optimal)", f"{efficiency:.2f}", "-"),
        at_most("net while the battery can balance, beyond what its dead time and lag leave of a "
                "step, largest", 0.021, float((np.abs(net) - left)[able].max()), source, unit="kW"),
        note("  the largest net, with these", f"{float(np.abs(net[able]).max()):.3f} kW", "-"),
        at_least("minutes in which it can", 1000.0, float(able.sum()), source),
    ]  # fmt: skip


def _plot(plots: Path, load: Floats, power: Floats, soc: Floats, net: Floats) -> None:
    day = np.arange(_TICKS) / 1440.0
    figure, axes = canvas(6, 1, size=(11, 10), sharex=True)
    rows = (
        ("load, kW", load, "tab:gray"), ("solar, kW", power[:, 0], "tab:orange"),
        ("battery, kW\n(+ discharges)", power[:, 1], "tab:green"),
        ("EV, kW", power[:, 2], "tab:purple"), ("net, kW\n(+ draws)", net, "black"),
    )  # fmt: skip
    for axis, (label, values, color) in zip(axes, rows, strict=False):
        axis.plot(day, values, color=color, linewidth=0.7)
        axis.set_ylabel(label)
    axes[5].plot(day, soc[:, 1], color="tab:green", label="battery")
    axes[5].plot(day, soc[:, 2], color="tab:purple", label="car")
    axes[5].set(ylabel="SoC, %", ylim=(0, 103), xlabel="days from Monday, 4 May 2026 (local)")
    axes[5].set_xlim(0, 7)
    axes[5].legend(loc="lower right")
    save(figure, plots, "home-week.png")
