"""Batteries against PerMod's measured systems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.realism.drive import drive, outputs, scenario_of, socs
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_least, at_most, near
from gridsim.api import Floats
from gridsim.simulation.step import Simulation
from gridsim_plugins.ders.battery import Battery

_PERMOD = "PerMod, HTW Berlin (data CC BY 4.0)"
_TESLA = "Powerwall 3 data sheet"
SIEMENS: dict[str, Any] = {
    "nameplate_capacity": 3.57,
    "energy_capacity_kwh": 8.85,
    "losses": "siemens_junelight",
}
GENERIC: dict[str, Any] = {"nameplate_capacity": 5.0, "energy_capacity_kwh": 10.0}
# a, b, c for charging and discharging, and the cells' round trip.
COEFFICIENTS = {
    "siemens_junelight": (0.0302, 0.0098, 0.0100, 0.0431, 0.0065, 0.0107, 0.9687),
    "generic": (0.0355, -0.0031, 0.0182, 0.0376, -0.0036, 0.0193, 0.95),
}
_PUBLISHED = {0.1: 0.769, 0.5: 0.882, 1.0: 0.868}
# The data sheet states the losses of one round trip only.
POWERWALL = {
    "nameplate_capacity": 11.04, "charge_power": 5.0, "energy_capacity_kwh": 13.5,
    "losses": "ideal", "cell_efficiency": 89.0, "min_soc": 0.0,
}  # fmt: skip
# A home on a winter evening, at 1 s: a battery balances a household.
EVENING = """
[simulation]
seed = 5
tick_s = 1.0
start = 2026-01-20T16:00:00Z
[site]
latitude = 48.1
longitude = 11.6
timezone = "Europe/Berlin"
[[projects]]
id = "HOME"
load = { type = "household", annual_kwh = 4500, spread = 0.0 }
[[projects.ders]]
id = "BATTERY"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = 90.0
"""
_EVENING_S, _SETTLED_S = 3 * 3600, 6


def stored_kw(power: Floats, rated: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Return the power into the store at a mean power of a tick, by the published formulas, kW."""
    a0, b0, c0, a1, b1, c1, cell = coefficients
    x = np.abs(power) / rated
    into = np.maximum(-power - rated * (a0 * x * x + b0 * x + c0), 0.0) * cell**0.5
    out = (power + rated * (a1 * x * x + b1 * x + c1)) / cell**0.5
    stored: Floats = np.where(power < 0.0, into, np.where(power > 0.0, -out, 0.0))
    return stored


def round_trip(settings: Mapping[str, Any], loads: Floats) -> Floats:
    """Return the Return the AC round-trip efficiency at shares of the rated power, from ten minutes
    of telemetry.
    """
    power = loads * float(settings["nameplate_capacity"])

    def run(sign: float, soc: float) -> tuple[Floats, Floats]:
        entries = [{**settings, "initial_soc": soc}] * len(loads)
        telemetry = drive(Battery, entries, lambda i: sign * power, 601, 1.0)
        # After the dead time and the time constant.
        change = socs(telemetry)[-1] - socs(telemetry)[20]
        return change, outputs(telemetry)[20:-1].sum(axis=0)

    gained, drawn = run(-1.0, 40.0)
    lost, given = run(1.0, 60.0)
    efficiency: Floats = (gained / -drawn) / (-lost / given)
    return efficiency


def run(plots: Path) -> Group:
    about = (
        "The Siemens Junelight (3.57 kW, 8.85 kWh) and a generic AC-coupled system of 5 kW. "
        "Round trips come from ten minutes of charging and of discharging at a constant "
        "setpoint: kWh out per kWh in at the same change of the state of charge, "
        "standby excluded as in the published figures."
    )
    loads = np.array(list(_PUBLISHED))
    measured = zip(_PUBLISHED.items(), round_trip(SIEMENS, loads), strict=True)
    checks = [
        near(f"Siemens, round trip at {x:g} of rated power", wanted, float(found), _PERMOD, by=0.01)
        for (x, wanted), found in measured
    ]
    for x, found in zip(loads, round_trip(GENERIC, loads), strict=True):
        a0, b0, c0, a1, b1, c1, cell = COEFFICIENTS["generic"]
        into = 1.0 - (a0 * x * x + b0 * x + c0) / x
        wanted = into * cell / (1.0 + (a1 * x * x + b1 * x + c1) / x)
        source = f"{_PERMOD}: from the coefficients"
        checks.append(near(f"generic, round trip at {x:g}", wanted, float(found), source, by=0.01))
    evening = _evening()
    checks += [*_response(), *_limits(), *_powerwall(), *_integral(), *_steps(evening)]
    _plot(plots)
    _plot_evening(plots, evening)
    caption = "AC round trip of both presets over the load, with the published points."
    shown = (
        "A winter evening of a home with a battery of 5 kW at 1 s: load, battery and what the "
        "grid sees; and 40 s about a load that is switched on: the dead time and the ramp."
    )
    figures = [Figure("battery-round-trip.png", caption), Figure("battery-load-steps.png", shown)]
    return Group("Batteries", about, checks, figures)


def _evening() -> Floats:
    """Return load, output of the battery and net consumption at each second, kW, [3, second]."""
    simulation = Simulation(scenario_of(EVENING))
    batches = [simulation.step() for _ in range(_EVENING_S)]
    load = np.array([float(batch.power_meter_measurement[0]) for batch in batches])
    output = np.array([float(batch.current_output[0]) for batch in batches])
    return np.stack([load, output, load - output])


def _largest_step(load: Floats) -> int:
    """Return the second of the largest rise that lasts, within the battery's power."""
    rise = np.diff(load)
    lasts = np.abs(load[1 + _SETTLED_S :] - load[1:-_SETTLED_S]) < 0.05
    usable = lasts & (load[1:-_SETTLED_S] < 4.5)
    return 1 + int(np.argmax(np.where(usable, rise[:-_SETTLED_S], 0.0)))


def _steps(evening: Floats) -> list[Check]:
    load, _, net = evening
    at = _largest_step(load)
    rise = load[at] - load[at - 1]
    source = "medians of four measured systems (PerMod): dead time 1.1 s, time constant 0.6 s"
    return [
        at_least("largest load step of a winter evening", 1.0, float(rise), "it is one", unit="kW"),
        at_least("  share of it by which what the grid sees rises in its second", 0.9,
                 float((net[at] - net[at - 1]) / rise), source),
        at_most(f"  net {_SETTLED_S} s after it", 0.03, float(abs(net[at + _SETTLED_S])), source,
                unit="kW"),
    ]  # fmt: skip


def _plot_evening(plots: Path, evening: Floats) -> None:
    load, output, net = evening
    figure, axes = canvas(3, 1, size=(10, 8))
    hour = 17.0 + np.arange(_EVENING_S) / 3600.0
    for axis, values, name in zip(axes[:2], (load, net), ("load", "what the grid sees"),
                                  strict=True):  # fmt: skip
        axis.plot(hour, values, linewidth=0.7 if name != "load" else 2.0, label=name)
        axis.set(ylabel="kW", xlim=(17, 20))
    axes[0].plot(hour, output, linewidth=0.6, label="battery")
    axes[0].legend(loc="upper right")
    axes[1].legend(loc="upper right")
    axes[1].set_xlabel("hour (Europe/Berlin)")
    at = _largest_step(load)
    near_step = slice(max(at - 10, 0), at + 30)
    second = np.arange(near_step.start, near_step.stop) - at
    for values, name in ((load, "load"), (output, "battery"), (net, "what the grid sees")):
        axes[2].step(second, values[near_step], where="post", label=name)
    axes[2].set(xlabel="seconds after the load is switched on", ylabel="kW", xlim=(-10, 29))
    axes[2].legend(loc="upper right")
    save(figure, plots, "battery-load-steps.png")


def _response() -> list[Check]:
    entry = {**SIEMENS, "min_soc": 0.0}
    telemetry = drive(Battery, [entry], lambda i: np.array([2.0]), 60, 0.1)
    power = outputs(telemetry)[:, 0]
    begins = int(np.argmax(power > 0.0)) * 0.1
    # Means over ticks of 0.1 s: the middle of a tick.
    reached = float(np.interp(2.0 * (1.0 - np.exp(-1.0)), power, np.arange(60) * 0.1 + 0.05))
    rest = drive(
        Battery, [{**entry, "initial_soc": 100.0}, {**entry, "initial_soc": 0.0}],
        lambda i: np.zeros(2), 1, 60.0,
    )  # fmt: skip
    full, empty = (-1000.0 * outputs(rest)[0]).tolist()
    return [
        near("Siemens, dead time", 1.6, begins, _PERMOD, by=0.1, unit="s"),
        near("Siemens, time constant", 0.6, reached - 1.6, _PERMOD, by=0.05, unit="s"),
        near("Siemens, standby full", 14.9, full, _PERMOD, by=0.01, unit="W"),
        near("Siemens, standby empty", 12.1, empty, _PERMOD, by=0.01, unit="W"),
    ]


def _limits() -> list[Check]:
    def power(soc: float, setpoint: float) -> float:
        entry = {**GENERIC, "min_soc": 0.0, "initial_soc": soc}
        telemetry = drive(Battery, [entry], lambda i: np.array([setpoint]), 1, 1.0)
        return float(outputs(telemetry)[0, 0])

    return [
        near("charging at 95 %: limit", -2.5, power(95.0, -5.0), _PERMOD, by=0.01, unit="kW"),
        near("charging at 85 %: limit", -5.0, power(85.0, -5.0), _PERMOD, by=0.01, unit="kW"),
        near("discharging at 2 %: limit", 2.0, power(2.0, 5.0), _PERMOD, by=0.01, unit="kW"),
        near("discharging at 10 %: limit", 5.0, power(10.0, 5.0), _PERMOD, by=0.01, unit="kW"),
    ]


def _powerwall() -> list[Check]:
    entry = {**POWERWALL, "initial_soc": 50.0}
    asked = np.array([20.0, -20.0])
    telemetry = drive(Battery, [entry, entry], lambda i: asked, 1, 1.0)
    out, into = outputs(telemetry)[0].tolist()
    trip = float(round_trip(POWERWALL, np.array([3.3 / 11.04]))[0])
    return [
        near("Powerwall 3 as settings: power out", 11.04, out, _TESLA, by=0.01, unit="kW"),
        near("Powerwall 3: power in", 5.0, -into, _TESLA, by=0.01, unit="kW"),
        near("Powerwall 3: round trip at 3.3 kW", 0.89, trip, _TESLA, by=0.01),
    ]


def _integral() -> list[Check]:
    """Compare energy with random setpoints, between and beyond the limits, at three tick
    lengths.
    """
    checks = []
    draws = np.random.default_rng(7)
    entries = [SIEMENS, GENERIC, {**GENERIC, "energy_capacity_kwh": 2.0, "min_soc": 0.0}]
    rated = np.array([entry["nameplate_capacity"] for entry in entries])
    capacity = np.array([8.85, 10.0, 2.0])
    names = ["siemens_junelight", "generic", "generic"]
    for tick_s in (1.0, 60.0, 900.0):
        asked = draws.uniform(-1.5, 1.5, (2000, 3)) * rated
        telemetry = drive(Battery, entries, lambda i, asked=asked: asked[i], 2000, tick_s)  # type: ignore[misc]
        soc, power = socs(telemetry), outputs(telemetry)
        worst = 0.0
        for i, name in enumerate(names):
            resting = power[:, i] >= -0.015 if name == "siemens_junelight" else np.False_
            active = np.where(resting & (power[:, i] < 0.0), 0.0, power[:, i])
            stored = stored_kw(active, rated[i : i + 1], COEFFICIENTS[name]) * tick_s / 3600.0
            change = (soc[-1, i] - soc[0, i]) / 100.0 * capacity[i]
            worst = max(worst, abs(float(stored[:-1].sum()) - change))
        name = f"2,000 random setpoints at ticks of {tick_s:g} s: dSoC less integral"
        checks.append(at_most(name, 1e-9, worst, "energy conservation", unit="kWh"))
        outside = float(max(0.0, -soc.min(), soc.max() - 100.0))
        checks.append(at_most(f"  at {tick_s:g} s: SoC beyond 0 to 100 %", 0.0, outside,
                              "energy conservation", unit="%"))  # fmt: skip
    return checks


def _plot(plots: Path) -> None:
    loads = np.concatenate((np.linspace(0.03, 0.2, 18), np.linspace(0.22, 1.0, 40)))
    figure, axes = canvas(size=(7, 3.6))
    axes.plot(100 * loads, 100 * round_trip(SIEMENS, loads), label="Siemens Junelight 3.57 kW")
    axes.plot(100 * loads, 100 * round_trip(GENERIC, loads), label="generic AC-coupled 5 kW")
    published = (100 * np.array(list(_PUBLISHED)), 100 * np.array(list(_PUBLISHED.values())))
    axes.plot(*published, "o", color="tab:blue", label="published for the Siemens (PerMod)")
    axes.set(
        xlabel="load, % of rated power", ylabel="AC round trip, %", xlim=(0, 102), ylim=(30, 95)
    )
    axes.legend(loc="lower right")
    save(figure, plots, "battery-round-trip.png")
