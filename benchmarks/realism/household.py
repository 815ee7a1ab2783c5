"""Household loads against the standard profile H0, in the emitted telemetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of, utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_most, near
from gridsim.api import Floats
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_sites, make_tick
from gridsim_plugins.loads.household import Household

_BDEW = "VDEW, BDEW: standard load profile H0, dynamic"
_CLASSES = "appliance classes of the reference (P, duration, share)"
_YEAR = """
[simulation]
seed = 5
tick_s = 900.0
start = 2026-01-01T00:00:00+01:00
[site]
latitude = 52.5
longitude = 13.4
timezone = "Europe/Berlin"
[weather]
type = "clear"
[[projects]]
id = "SMOOTH"
load = { type = "household", annual_kwh = 1000000, appliances = false }
[[projects.ders]]
id = "SMOOTH_PV"
type = "solar"
nameplate_capacity = 1.0
[[projects]]
id = "HOME_{n}"
count = 60
load = { type = "household", annual_kwh = 4000 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 1.0
"""
# kW, s, share of the energy.
_APPLIANCES = {
    "kettle": (1.9, 150, 0.10), "oven, hob": (1.6, 1500, 0.16), "washing": (2.0, 1200, 0.12),
    "dryer": (2.4, 2700, 0.08), "television": (0.16, 7200, 0.16), "lamps": (0.11, 5400, 0.16),
}  # fmt: skip


def run(plots: Path) -> Group:
    about = """A year at ticks of 15 minutes, Europe/Berlin, measured on the emitted batches: one
site of 1,000,000 kWh a year without appliances, so that rounding to 0.01 kW does not show
(scaled to 1000 kWh), and sixty homes of 4000 kWh with appliances. gridsim joins hourly means
by straight lines, so the quarter-hours' peak and least value are met within 5 % only. The
appliances' shares are counted as steps of the load of 1,200 homes of 400 kWh (where steps rarely
fall together) over a week in March at ticks of 50 s: starts times power times duration."""
    smooth, homes = _year()
    checks = [*_profile(smooth), *_pulses(homes, smooth), *_appliances()]
    _plot(plots, smooth, homes)
    caption = (
        "A year of load: the expectation H0 for 4000 kWh, and one home with appliances, kW. "
        "Hours are UTC+1, so that the change of clocks shows as a step."
    )
    return Group("Household loads", about, checks, [Figure("load-year.png", caption)])


def _year() -> tuple[Floats, Floats]:
    """kW by quarter-hour: that of 1000 kWh a year, and [quarter-hour, home]."""
    simulation = Simulation(scenario_of(_YEAR))
    load = [simulation.step().power_meter_measurement for _ in range(365 * 96)]
    every = np.array(load)
    return every[:, 0] / 1000.0, every[:, 1:]


def _profile(smooth: Floats) -> list[Check]:
    energy = float(smooth.sum()) / 4.0
    return [
        near("H0, energy of a year", 1000.0, energy, _BDEW, rel=0.005, unit="kWh"),
        near("H0, peak", 0.268, float(smooth.max()), _BDEW, rel=0.05, unit="kW"),
        near("H0, least", 0.037, float(smooth.min()), _BDEW, rel=0.05, unit="kW"),
    ]


def _pulses(homes: Floats, smooth: Floats) -> list[Check]:
    energy = float(homes.sum(axis=0).mean()) / 4.0
    by_hour = homes.mean(axis=1).reshape(365, 24, 4).mean(axis=(0, 2))
    expected = 4.0 * smooth.reshape(365, 24, 4).mean(axis=(0, 2))
    worst = float(np.abs(by_hour / expected - 1.0).max())
    return [
        near("with appliances, mean energy of 60 homes", 4000.0, energy, _BDEW, rel=0.01,
             unit="kWh"),
        at_most("with appliances, mean by hour of day against H0: worst hour", 5.0, 100.0 * worst,
                "the mean stays H0 by construction", unit="%"),
    ]  # fmt: skip


def _appliances() -> list[Check]:
    n, days, tick_s, kwh = 1200, 7, 50.0, 400.0
    sites = make_sites(n, latitude=52.5, longitude=13.4, timezone="Europe/Berlin")
    members = make_members(
        Household.Settings, [{"annual_kwh": kwh}] * n, sites=sites, site=range(n)
    )
    load, start = Household(members), utc_ms("2026-03-02")
    steps = dict.fromkeys(_APPLIANCES, 0)
    total, before = 0.0, np.full(n, np.inf)
    for index in range(round(days * 86_400 / tick_s)):
        now = load.at(make_tick(index, start_ms=start, tick_s=tick_s))
        total += float(now.sum()) * tick_s / 3600.0
        rise = now - before
        for name, (kw, _, _) in _APPLIANCES.items():
            # The fridge of so small a home switches 9 W.
            steps[name] += int((np.abs(rise - kw) < 0.015).sum())
        before = now
    return [
        near(f"{name} ({kw:g} kW, {duration} s): share of the energy", 100.0 * share,
             100.0 * steps[name] * kw * duration / 3600.0 / total, _CLASSES, rel=0.1, unit="%")
        for name, (kw, duration, share) in _APPLIANCES.items()
    ]  # fmt: skip


def _plot(plots: Path, smooth: Floats, homes: Floats) -> None:
    figure, axes = canvas(2, 1, size=(10, 6), sharex=True)
    for axis, load, title, top in (
        (axes[0], 4.0 * smooth, "expectation", 1.2), (axes[1], homes[:, 0], "one home", 3.0)
    ):  # fmt: skip
        image = axis.imshow(
            load.reshape(365, 96).T, aspect="auto", origin="lower", extent=(0, 365, 0, 24),
            vmin=0.0, vmax=top, cmap="viridis", interpolation="nearest",
        )  # fmt: skip
        axis.set(ylabel=f"{title}: hour, UTC+1", yticks=range(0, 25, 4))
        axis.grid(visible=False)
        figure.colorbar(image, ax=axis, label="kW")
    axes[1].set_xlabel("day of 2026")
    save(figure, plots, "load-year.png")
