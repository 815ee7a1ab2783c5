"""Energy in, out, lost and stored, per device, by formulas of the sources."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.realism.battery import COEFFICIENTS, stored_kw
from benchmarks.realism.recording import Day
from benchmarks.realism.report import Check, at_least, at_most
from gridsim.api import Floats
from gridsim.helpers import clearsky

_HOURS = 1.0 / 3600.0
_SOURCE = "energy conservation"


def checks(day: Day) -> list[Check]:
    return [
        *_battery(day), *_car(day), *_heat_pump(day), *_water_heater(day), *_wind_turbine(day),
        *_generator(day),
    ]  # fmt: skip


def _battery(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["battery/flexible"], day.members["battery/flexible"]
    checks = []
    for preset in ("generic", "siemens_junelight"):
        which = np.flatnonzero([members.settings[i].losses == preset for i in members.stanza])
        power, soc = telemetry["power"][:, which], telemetry["soc"][:, which] / 100.0
        rated, capacity = (members.columns[key][which] for key in
                           ("nameplate_capacity", "energy_capacity_kwh"))  # fmt: skip
        if preset == "siemens_junelight":
            # At rest it draws 12.1 to 14.9 W from the site, and its cells give nothing.
            rest = (power < 0.0) & (-power <= (12.1 + 2.8 * soc) / 1000.0 * (1.0 + 1e-9))
            power = np.where(rest, 0.0, power)
        stored = stored_kw(power, rated, COEFFICIENTS[preset]) * _HOURS
        left = np.diff(soc, axis=0) * capacity - stored[:-1]
        checks += _sums(f"battery ({preset})", left)
    return checks


def _car(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["ev_charger/flexible"], day.members["ev_charger/flexible"]
    soc = telemetry["soc"] / 100.0
    stays = ~np.isnan(soc[:-1]) & ~np.isnan(soc[1:]) & (soc[1:] >= soc[:-1])
    column = members.columns
    stored = -telemetry["power"][:-1] * column["efficiency"] / 100.0 * _HOURS
    left = np.where(stays, np.diff(soc, axis=0) * column["battery_capacity_kwh"] - stored, 0.0)
    missing = float(np.abs(telemetry["power"][np.isnan(soc)]).max(initial=0.0))
    charged = -float(telemetry["power"].sum()) * _HOURS
    return [
        *_sums("EV", left),
        at_most("EV: power without a car", 0.0, missing, _SOURCE, unit="kW"),
        at_least("EV: charged in the day by all", 20.0, charged, "something was checked",
                 unit="kWh"),
    ]  # fmt: skip


def _heat_pump(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["heat_pump/flexible"], day.members["heat_pump/flexible"]
    column, site = members.columns, members.site
    room, heat = telemetry["room_temperature"], telemetry["heat_output"]
    ua, capacity = column["heat_loss"] / 1000.0, column["heat_capacity"]
    gains = column["internal_gains"] / 1000.0 + column["solar_aperture"] / 1000.0 * day.ghi[:, site]
    air = day.temperature_c[:, site]
    final = air + (heat + gains) / ua
    after = final + (room - final) * np.exp(-ua * _HOURS / capacity)
    # Windows stay closed below 3 K over the setpoint.
    closed = room[:-1] <= column["room_temperature"] + 3.0
    left = np.where(closed, (room[1:] - after[:-1]) * capacity, 0.0)
    lift = np.clip(40.0 - air - air, 15.0, 90.0)
    cop = column["cop_factor"] * (6.08 - 0.09 * lift + 0.0005 * lift * lift)
    wrong = float(np.abs(heat + telemetry["power"] * cop).max())
    return [
        *_sums("heat pump", left),
        at_most("heat pump: heat less power times COP", 1e-9, wrong,
                "Ruhnau, Hirth, Praktiknjo (2019)", unit="kW"),
    ]  # fmt: skip


def _water_heater(day: Day) -> list[Check]:
    telemetry, members = (
        day.telemetry["water_heater/flexible"],
        day.members["water_heater/flexible"],
    )
    column = members.columns
    tank, net = telemetry["tank_temperature"], -telemetry["power"] - telemetry["hot_water"]
    ua, capacity = column["heat_loss"] / 1000.0, column["volume"] * 4.186 / 3600.0
    final = column["room_temperature"] + net / ua
    after = final + (tank - final) * np.exp(-ua * _HOURS / capacity)
    return _sums("water heater", (tank[1:] - after[:-1]) * capacity)


def _wind_turbine(day: Day) -> list[Check]:
    """Check that the power follows only the curve at the hub's wind, with the rotor's lag."""
    telemetry, members = day.telemetry["wind_turbine/free"], day.members["wind_turbine/free"]
    column, site = members.columns, members.site
    height = day.scenario.sites.altitude[site] + column["hub_height"]
    density = clearsky.pressure_ratio(height) * 288.15 / (day.temperature_c[:, site] + 273.15)
    wind = telemetry["hub_wind"] * np.cbrt(density)
    low, high = column["cut_in_wind"] ** 3, column["rated_wind"] ** 3
    target = column["nameplate_capacity"] * np.clip((wind**3 - low) / (high - low), 0.0, 1.0)
    tau = column["response_s"]
    kept, mean = np.exp(-1.0 / tau), tau * -np.expm1(-1.0 / tau)
    now, worst = target[0], 0.0
    for index in range(len(target)):
        power = target[index] + (now - target[index]) * mean
        now = target[index] + (now - target[index]) * kept
        worst = max(worst, float(np.abs(power - telemetry["power"][index]).max()))
    yielded = float(telemetry["power"].sum()) * _HOURS
    source = "Carrillo et al. (2013), first-order lag"
    return [
        at_most("turbine: power less the lagged curve of its wind", 1e-9, worst, source, unit="kW"),
        at_least("turbine: yield in the day of all", 1.0, yielded, "something was checked",
                 unit="kWh"),
    ]  # fmt: skip


def _generator(day: Day) -> list[Check]:
    telemetry, members = day.telemetry["generator/flexible"], day.members["generator/flexible"]
    rated = members.columns["nameplate_capacity"]
    burnt = np.diff(telemetry["fuel_l"], axis=0)
    power = telemetry["power"][1:]
    running = (power > 0.0) & (telemetry["power"][:-1] > 0.0)
    wanted = (0.08 * rated + 0.25 * power) * _HOURS
    # In ticks with a start or a stop, the set runs for a part of the tick only.
    steady = running & np.vstack((running[1:], running[-1:]))
    wrong = float(np.abs(np.where(steady, burnt - wanted, 0.0)).max())
    idle = float(burnt[(power == 0.0) & (telemetry["power"][:-1] == 0.0)].max(initial=0.0))
    delivered = float(telemetry["power"].sum()) * _HOURS
    return [
        at_most("generator: fuel less the linear curve, in a second", 1e-12, wrong, "HOMER (NREL)",
                unit="l"),
        at_most("generator: fuel burnt standing still", 0.0, idle, _SOURCE, unit="l"),
        at_least("generator: delivered in the day by all", 5.0, delivered, "something was checked",
                 unit="kWh"),
    ]  # fmt: skip


def _sums(name: str, left: Floats | Any) -> list[Check]:
    """Yield checks of the residual, kWh, [tick, device]: within a tick, and summed over the day."""
    return [
        at_most(f"{name}: energy left over in a tick", 1e-11, float(np.abs(left).max()), _SOURCE,
                unit="kWh"),
        at_most(f"{name}: energy left over in the day", 1e-9, float(np.abs(left.sum(axis=0)).max()),
                _SOURCE, unit="kWh"),
    ]  # fmt: skip
