"""A picture of fifty solar arrays under broken clouds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of
from benchmarks.realism.plotting import canvas, save
from gridsim.simulation.step import Simulation

SEED = 3
_CONFIG = """
[simulation]
seed = %d
tick_s = 1.0
start = %sT02:00:00Z
[site]
latitude = { uniform = [55.765, 55.815] }
longitude = { uniform = [12.49, 12.57] }
altitude = 50.0
timezone = "Europe/Copenhagen"
[weather]
type = "synthetic"
[[projects]]
id = "ROOF_{n}"
count = 50
load = { type = "constant" }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
tilt = { uniform = [20.0, 45.0] }
azimuth = { uniform = [140.0, 220.0] }
"""


def plot_day(plots: Path, day: str) -> None:
    """Draw a day of June of fifty arrays, at a second."""
    simulation = Simulation(scenario_of(_CONFIG % (SEED, day)))
    power = np.array([simulation.step().current_output for _ in range(64_800)], np.float32)
    hour = np.arange(64_800) / 3600.0 + 4.0
    figure, axes = canvas(4, 1, size=(10, 10))
    axes[0].plot(hour, power[:, 0], linewidth=0.5)
    axes[1].plot(hour, power.sum(axis=1) / 250.0 * 100.0, linewidth=0.6, color="black")
    noon = (hour >= 12.0) & (hour < 14.0)
    axes[2].plot(60.0 * (hour[noon] - 12.0), power[noon, 0], linewidth=0.6)
    # Half an hour with many changes.
    moves = np.abs(np.diff(power[:, :5], axis=0)).sum(axis=1)
    busy = int(np.argmax(np.convolve(moves, np.ones(1800), "valid")))
    for row in range(5):
        axes[3].plot(np.arange(1800) / 60.0, power[busy : busy + 1800, row], label=f"{row + 1}")
    axes[3].legend(title="array", ncols=5, loc="upper center", fontsize=8)
    begin = f"{hour[busy] // 1:.0f}:{hour[busy] % 1 * 60:02.0f}"
    for axis, title, x, unit, span, top in (
        (axes[0], "one array of 5 kW", "hour, Europe/Copenhagen", "kW", (4, 22), 5.2),
        (axes[1], "the sum of fifty within 5 km", "hour", "% of nameplate", (4, 22), 100.0),
        (axes[2], "noon: the first array", "minute after 12:00", "kW", (0, 120), 5.2),
        (axes[3], "half an hour of five arrays", f"minute after {begin}", "kW", (0, 30), 6.5),
    ):
        axis.set(ylabel=unit, ylim=(0, top), xlim=span, xlabel=x)
        axis.set_title(f"{title}, at 1 s", loc="left", fontsize=9, pad=2)
    save(figure, plots, "cloudy-day.png")
