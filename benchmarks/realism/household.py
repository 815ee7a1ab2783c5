"""Household loads against the standard profiles H0 and H25, in the emitted telemetry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.realism.drive import scenario_of, utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_most, near
from gridsim.api import Draws, Floats, identities
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_sites, make_tick
from gridsim_plugins.loads.household import Household
from gridsim_plugins.loads.household.catalogue import APPLIANCES
from gridsim_plugins.loads.household.homes import draw_homes
from gridsim_plugins.loads.household.programmes import PROGRAMMES

_BDEW = "VDEW, BDEW: standard load profile H0, dynamic"
_BDEW_2025 = "BDEW: standard load profile H25 (2025), in demandlib 0.2.2"
_TABLE = "share of the fitted energy (BDEW, EnergieAgentur.NRW)"
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
load = { type = "household", annual_kwh = 1000000, spread = 0.0, appliances = false }
[[projects.ders]]
id = "SMOOTH_PV"
type = "solar"
nameplate_capacity = 1.0
[[projects]]
id = "SMOOTH_2025"
load = { type = "household", profile = "H25", annual_kwh = 1e6, spread = 0, appliances = false }
[[projects.ders]]
id = "SMOOTH_2025_PV"
type = "solar"
nameplate_capacity = 1.0
[[projects]]
id = "HOME_{n}"
count = 60
load = { type = "household", annual_kwh = 4000, spread = 0.0 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 1.0
"""


def run(plots: Path) -> Group:
    about = """A year at ticks of 15 minutes, Europe/Berlin, measured on the emitted batches: one
site of 1,000,000 kWh a year without appliances per profile, so that rounding to 0.01 kW does not
show (scaled to 1000 kWh), and sixty homes of 4000 kWh with appliances, of H0. gridsim joins hourly
means by straight lines, so the quarter-hours' peak and least value are met within 5 % only. The
hours of 3,000 homes are those of a Tuesday to Thursday in January and in July. The shares of the
appliances are those of 20,000 homes, before anything is drawn in time."""
    smooth, recent, homes = _year()
    checks = [
        *_profile(smooth), *_recent_profile(recent), *_year_of_homes(homes, smooth),
        *_hours("H0", _BDEW), *_hours("H25", _BDEW_2025), *_shares(),
    ]  # fmt: skip
    _plot(plots, smooth, homes)
    caption = (
        "A year of load: the expectation H0 for 4000 kWh, and one home with appliances, kW. "
        "Hours are UTC+1, so that the change of clocks shows as a step."
    )
    return Group("Household loads", about, checks, [Figure("load-year.png", caption)])


def _year() -> tuple[Floats, Floats, Floats]:
    """Return kW by quarter-hour: H0 and H25 of 1000 kWh a year, and [quarter-hour, home]."""
    simulation = Simulation(scenario_of(_YEAR))
    load = [simulation.step().power_meter_measurement for _ in range(365 * 96)]
    every = np.array(load)
    return every[:, 0] / 1000.0, every[:, 1] / 1000.0, every[:, 2:]


def _profile(smooth: Floats) -> list[Check]:
    energy = float(smooth.sum()) / 4.0
    return [
        near("H0, energy of a year", 1000.0, energy, _BDEW, rel=0.005, unit="kWh"),
        near("H0, peak", 0.268, float(smooth.max()), _BDEW, rel=0.05, unit="kW"),
        near("H0, least", 0.037, float(smooth.min()), _BDEW, rel=0.05, unit="kW"),
    ]


def _recent_profile(load: Floats) -> list[Check]:
    month = np.repeat(
        np.arange("2026-01-01", "2027-01-01", dtype="datetime64[D]").astype("datetime64[M]"), 96
    )
    mean = {name: float(load[month == np.datetime64(name)].mean() / load.mean())
            for name in ("2026-01", "2026-08")}  # fmt: skip
    return [
        near("H25, energy of a year", 1000.0, float(load.sum()) / 4.0, _BDEW_2025, rel=0.005,
             unit="kWh"),
        near("H25, peak", 0.229, float(load.max()), _BDEW_2025, rel=0.05, unit="kW"),
        near("H25, least", 0.0538, float(load.min()), _BDEW_2025, rel=0.05, unit="kW"),
        near("H25, January over the year", 1.191, mean["2026-01"], _BDEW_2025, rel=0.01),
        near("H25, August over the year", 0.862, mean["2026-08"], _BDEW_2025, rel=0.01),
    ]  # fmt: skip


def _year_of_homes(homes: Floats, smooth: Floats) -> list[Check]:
    energy = homes.sum(axis=0) / 4.0
    by_hour = homes.mean(axis=1).reshape(365, 24, 4).mean(axis=(0, 2))
    expected = 4.0 * smooth.reshape(365, 24, 4).mean(axis=(0, 2))
    worst = float(np.abs(by_hour / expected - 1.0).max())
    winter = slice(0, 59 * 96)
    summer = slice(151 * 96, 243 * 96)
    season, h0 = (one[winter].mean() / one[summer].mean() for one in (homes, smooth))
    return [
        near("with appliances, mean energy of 60 homes", 4000.0, float(energy.mean()), _BDEW,
             rel=0.02, unit="kWh"),
        at_most("with appliances, mean by hour of day against H0: worst hour", 6.0, 100.0 * worst,
                "the mean stays H0 by construction", unit="%"),
        near("January and February over June to August", float(h0), float(season), _BDEW,
             rel=0.04),
        at_most("energy of a home against its setting: worst of 60", 20.0,
                float(100.0 * np.abs(energy / 4000.0 - 1.0).max()), "annual_kwh, spread 0",
                unit="%"),
    ]  # fmt: skip


def _hours(profile: str, source: str) -> list[Check]:
    checks = []
    for name, start in (("January", "2026-01-12T23:00:00"), ("July", "2026-07-13T22:00:00")):
        load = homes_of(3000, 4500.0, profile=profile)
        drawn, expected = np.zeros(72), np.zeros(72)
        for index in range(72 * 2):
            tick = make_tick(index, start_ms=utc_ms(start), tick_s=1800.0)
            drawn[index // 2] += load.at(tick).mean() / 2.0
            expected[index // 2] += load.expected(tick.time_ms + 900_000).mean() / 2.0
        ratio = drawn.reshape(3, 24).mean(axis=0) / expected.reshape(3, 24).mean(axis=0)
        worst = float(100.0 * np.abs(ratio - 1.0).max())
        title = f"3,000 homes in {name}: worst hour of the day against {profile}"
        checks.append(at_most(title, 7.0, worst, source, unit="%"))
    return checks


def _shares() -> list[Check]:
    n = 20_000
    keys = identities(f"HOME_{index}" for index in range(n))
    homes = draw_homes(keys, Draws(5), np.full(n, 4500.0), np.ones(n))
    watts = (homes.rate * homes.watts * PROGRAMMES.hours[:, None]).mean(axis=1)
    used = watts / watts.sum()
    return [
        near(f"{one.name}, owned by {100.0 * one.owned:.0f} %: share of the use",
             100.0 * one.share, float(100.0 * share), _TABLE, rel=0.03, unit="%")
        for one, share in zip(APPLIANCES, used, strict=True)
    ]  # fmt: skip


def homes_of(n: int, annual_kwh: float | Sequence[float], **settings: object) -> Household:
    """Return homes near Berlin, with one annual energy for all or one for each."""
    sites = make_sites(n, latitude=52.5, longitude=13.4, timezone="Europe/Berlin")
    each = [annual_kwh] * n if isinstance(annual_kwh, float) else annual_kwh
    entries = [{"annual_kwh": kwh, **settings} for kwh in each]
    return Household(make_members(Household.Settings, entries, sites=sites, site=range(n)))


def _plot(plots: Path, smooth: Floats, homes: Floats) -> None:
    figure, axes = canvas(2, 1, size=(10, 6), sharex=True)
    for axis, load, title, top in (
        (axes[0], 4.0 * smooth, "The expectation of a home of 4,000 kWh", 1.2),
        (axes[1], homes[:, 0], "One home", 3.0),
    ):
        image = axis.imshow(
            load.reshape(365, 96).T, aspect="auto", origin="lower", extent=(0, 365, 0, 24),
            vmin=0.0, vmax=top, cmap="viridis", interpolation="nearest",
        )  # fmt: skip
        axis.set(ylabel="hour, UTC+1", yticks=range(0, 25, 4))
        axis.set_title(title, loc="left", fontsize=9)
        axis.grid(visible=False)
        figure.colorbar(image, ax=axis, label="kW")
    axes[1].set_xlabel("day of 2026")
    save(figure, plots, "load-year.png")
