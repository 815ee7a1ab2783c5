"""The largest change of power within a second, by type of device."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.realism.recording import Day
from benchmarks.realism.report import Check, at_least, at_most
from gridsim.api import Floats

_LAVE = "Lave, Kleissl, Arias-Castro (2012)"
_BACK = 12


def checks(day: Day) -> list[Check]:
    return [
        *_solar(day), *_battery(day), *_car(day), *_heat_pump(day), *_water_heater(day),
        *_wind_turbine(day), *_generator(day), *_load(day),
    ]  # fmt: skip


def _steps(telemetry: Any, key: str = "power") -> Floats:
    steps: Floats = np.abs(np.diff(telemetry[key], axis=0))
    return steps


def _solar(day: Day) -> list[Check]:
    rated = day.members["solar/free"].columns["nameplate_capacity"]
    worst = float((_steps(day.telemetry["solar/free"]) / rated).max())
    # 1.2 kW of modules behind each kW of inverter, less 14 %.
    return [at_most("solar: largest step", 0.62, worst, _LAVE, unit="of nameplate per s")]


def _battery(day: Day) -> list[Check]:
    """Check that every step is within the recent change of the site's net load."""
    telemetry, members = day.telemetry["battery/flexible"], day.members["battery/flexible"]
    rated, site = members.columns["nameplate_capacity"], members.site
    net = day.load.copy()
    for name, other in day.members.items():
        if name != "battery/flexible":
            for row, place in enumerate(other.site):
                net[:, place] -= day.telemetry[name]["power"][:, row]
    moved = np.abs(np.diff(net, axis=0))
    total = np.vstack((np.zeros((1, moved.shape[1])), np.cumsum(moved, axis=0)))
    lately = total[_BACK:] - total[:-_BACK]
    steps = _steps(telemetry)
    # Skips the start, when a battery at rest begins to follow.
    beyond = (steps[_BACK - 1 :] - lately[:, site]) / rated
    # When a battery becomes full, charging ends at its cut-off power and not at zero.
    full = np.maximum(telemetry["soc"][1:], telemetry["soc"][:-1])[_BACK - 1 :] >= 99.5
    ends, beyond = np.where(full, beyond, 0.0), np.where(full, 0.0, beyond)
    capacity = members.columns["energy_capacity_kwh"]
    fastest = np.diff(telemetry["soc"], axis=0) / 100.0 * capacity * 3600.0 / rated
    return [
        at_most("battery: step beyond what the site's net load did within 12 s", 0.01,
                float(beyond[_BACK:].max()), "it follows its site", unit="of rated power"),
        at_most("battery: step when full, beyond the net load's", 0.05,
                float(ends[_BACK:].max()), "cut-off power", unit="of rated power"),
        at_most("battery: SoC, fastest over rated power", 1.1, float(np.abs(fastest).max()),
                "power and losses over capacity", unit=""),
    ]  # fmt: skip


def _car(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["ev_charger/flexible"], day.members["ev_charger/flexible"]
    limit = np.minimum(*(members.columns[key] for key in ("nameplate_capacity", "onboard_limit")))
    soc, power = telemetry["soc"], telemetry["power"]
    comes_or_goes = np.isnan(soc[:-1]) != np.isnan(soc[1:])
    # A car that is full by the end of a tick has a mean power in between.
    near_full = np.nan_to_num(soc[1:]) >= 99.9
    came = np.isnan(soc[:-1]) & ~np.isnan(soc[1:])
    ramp = np.zeros_like(came)
    for after in range(1, 12):
        ramp[after:] |= came[:-after]
    steps = np.abs(np.diff(power, axis=0)) / limit
    unexplained = np.where(comes_or_goes | near_full | ramp, 0.0, steps)
    ramping = np.where(ramp & ~comes_or_goes & ~near_full, steps, 0.0)
    sessions = float(comes_or_goes.sum())
    taper = np.nan_to_num(np.diff(soc, axis=0)) / 100.0 * members.columns["battery_capacity_kwh"]
    fastest = float((taper * (taper < 1.0) * 3600.0 / limit).max())
    return [
        at_most("EV: step while the same car is there and not full", 0.02,
                float(unexplained.max()), "taper of ACN-Sim", unit="of limit per s"),
        at_most("EV: step in the ramp after it came", 0.105, float(ramping.max()),
                "full power in 10 s", unit="of limit per s"),
        at_most("EV: SoC, fastest over limit", 0.9000001, fastest, "efficiency of 90 %"),
        at_least("EV: arrivals and departures in the day", 5.0, sessions, "something was checked"),
    ]  # fmt: skip


def _heat_pump(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["heat_pump/flexible"], day.members["heat_pump/flexible"]
    column = members.columns
    power = -telemetry["power"]
    switches = (power[:-1] == 0.0) | (power[1:] == 0.0)
    # The tick in which the thermostat is reached has a mean power in between.
    ends = np.vstack((power[2:] == 0.0, switches[-1:]))
    begins = np.vstack((switches[:1], power[:-2] == 0.0))
    smooth = (
        np.where(switches | ends | begins, 0.0, _steps(telemetry)) / column["nameplate_capacity"]
    )
    rate = _steps(telemetry, "room_temperature").max() * 3600.0
    on = power[power > 0.0]
    return [
        at_most("heat pump: step while it runs", 0.05, float(smooth.max()),
                "standstill to full in 20 s or more: inverter",
                unit="of nameplate per s"),
        at_most("heat pump: room, fastest", 4.0, float(rate), "heat over heat capacity",
                unit="K/h"),
        at_most("heat pump: switches per device in the day", 60.0,
                float(switches_of(power).sum(axis=0).max()), "hardly a start in an hour"),
        at_least("heat pump: ticks with it running", 1000.0, float(on.size),
                 "something was checked"),
    ]  # fmt: skip


def switches_of(power: Floats) -> Floats:
    """Return 1 where a device switches on or off, [tick - 1, device]."""
    changes: Floats = ((power[:-1] > 0.0) != (power[1:] > 0.0)).astype(np.float64)
    return changes


def _water_heater(day: Day) -> list[Check]:
    telemetry, members = (
        day.telemetry["water_heater/flexible"],
        day.members["water_heater/flexible"],
    )
    column = members.columns
    power = -telemetry["power"]
    rated = column["nameplate_capacity"]
    # On, off, or the tick in which the thermostat is reached.
    between = (power > 0.0) & (power < rated * (1.0 - 1e-9))
    lone = between[1:-1] & (between[:-2] | between[2:])
    capacity = column["volume"] * 4.186 / 3600.0
    most = (rated + 2 * 12.56 + 6.28 + 0.1) / capacity
    rate = _steps(telemetry, "tank_temperature") * 3600.0
    return [
        at_most("water heater: ticks neither on nor off, beyond one per switch", 0.0,
                float(lone.sum()), "an element switches fully"),
        at_most("water heater: tank, fastest over heat over heat capacity", 1.0,
                float((rate / most).max()), "two showers and a basin at once"),
    ]  # fmt: skip


def _wind_turbine(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["wind_turbine/free"], day.members["wind_turbine/free"]
    column = members.columns
    worst = float((_steps(telemetry) / column["nameplate_capacity"]).max())
    through = float(-np.expm1(-1.0 / column["response_s"]).min())
    return [at_most("turbine: largest step", through, worst, "lag of 3 s of the rotor",
                    unit="of nameplate per s")]  # fmt: skip


def _generator(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["generator/flexible"], day.members["generator/flexible"]
    worst = float((_steps(telemetry) / members.columns["nameplate_capacity"]).max())
    return [at_most("generator: largest step", 0.05 + 1e-9, worst, "ramp of 5 %/s",
                    unit="of nameplate per s")]  # fmt: skip


def _load(day: Day) -> list[Check]:
    """Check that a step is an appliance that switches, or a few in the same second."""
    steps = np.abs(np.diff(day.load, axis=0))
    names = day.scenario.sites.ids
    homes = steps[:, [i for i, name in enumerate(names) if "SITE" not in name]]
    moving = float((homes > 0.005).mean())
    return [
        at_most("load of homes and farms: largest step", 6.0, float(homes.max()),
                "two large appliances at once", unit="kW"),
        at_most("load of homes and farms: share of seconds with a step above 5 W", 0.05, moving,
                "appliances switch some hundred times a day"),
        at_most("load of sites of 60 MWh: largest step", 10.0, float(steps.max()),
                "three large appliances at once", unit="kW"),
    ]  # fmt: skip
