"""Heat pumps, water heaters, wind turbines and generators against their sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.realism.drive import drive, extras, outputs, utc_ms
from benchmarks.realism.report import Check, Group, at_most, holds, near
from gridsim.api import Draws, Floats
from gridsim.testing import make_sites, make_weather
from gridsim_plugins.ders.generator import Generator
from gridsim_plugins.ders.heat_pump import HeatPump
from gridsim_plugins.ders.water_heater import WaterHeater
from gridsim_plugins.ders.wind_turbine import WindTurbine
from gridsim_plugins.weather.synthetic import Synthetic
from gridsim_plugins.weather.synthetic.plugin import SyntheticSettings

_RUHNAU = "Ruhnau, Hirth, Praktiknjo, Scientific Data 6 (2019)"
_DHW = "EN 16147, profile M"
_IEC = "IEC 61400-1"
_HOMER = "HOMER (NREL), diesel defaults"


def run(plots: Path) -> Group:
    about = """Each type alone, from its own telemetry. Heat pumps stand in steady weather for ten
days, so that their heat is what the building loses; water heaters run for two weeks; turbines
stand for a day in a wind of one speed; generators are called from rest."""
    checks = [*_heat_pump(), *_water_heater(), *_wind_turbine(), *_generator()]
    return Group("Heat pumps, water heaters, wind turbines, generators", about, checks)


def _nothing(n: int) -> Floats:
    return np.full(n, np.nan)


def _heat_pump() -> list[Check]:
    checks = []
    for outdoor in (-10.0, 0.0, 7.0):
        sky = make_weather(temperature_c=outdoor)
        telemetry = drive(
            HeatPump,
            [{"nameplate_capacity": 5.0, "room_temperature": 20.0, "internal_gains": 400.0}],
            lambda i: _nothing(1), 2880, 300.0,
            lambda tick, sky=sky: sky,  # type: ignore[misc]
        )  # fmt: skip
        late = slice(1440, None)
        drawn = -float(outputs(telemetry)[late].mean())
        heat = float(extras(telemetry, "heat_output")[late].mean())
        room = extras(telemetry, "room_temperature")[late]
        # Radiators: a flow temperature of 40 degrees at 0 degrees outdoors, and one degree more per
        # degree colder.
        lift = 40.0 - outdoor - outdoor
        cop = 0.85 * (6.08 - 0.09 * lift + 0.0005 * lift * lift)
        stored = 6.4 * float(room[-1, 0] - room[0, 0]) / 120.0
        loss = 0.150 * (float(room.mean()) - outdoor) - 0.4 + stored
        where = f"heat pump at {outdoor:g} C"
        checks += [
            near(f"{where}: COP", cop, heat / drawn, _RUHNAU, rel=0.01),
            near(f"{where}: heat is what is lost and stored", loss, heat, "energy balance",
                 rel=0.01, unit="kW"),
            near(f"{where}: room", 20.0, float(room.mean()), "its setpoint", by=0.5, unit="C"),
        ]  # fmt: skip
    return checks


def _water_heater() -> list[Check]:
    n, days = 200, 14
    telemetry = drive(
        WaterHeater, [{"nameplate_capacity": 2.0}] * n, lambda i: _nothing(n), days * 288, 300.0,
        start_ms=utc_ms("2026-03-02T05:00:00"),
    )  # fmt: skip
    power, water = -outputs(telemetry), extras(telemetry, "hot_water")
    tank = extras(telemetry, "tank_temperature")
    drawn = float(water.mean()) * 24.0
    heated = float(power.mean()) * 24.0
    loss = 1.6e-3 * (float(tank.mean()) - 20.0) * 24.0
    stored = 200.0 * 4.186 / 3600.0 * float((tank[-1] - tank[0]).mean()) / days
    hot = tank >= 39.9
    return [
        near("water heater: heat drawn in a day", 5.845, drawn, _DHW, rel=0.02, unit="kWh"),
        near("water heater: electricity is heat drawn and lost", drawn + loss + stored, heated,
             "energy balance", rel=0.002, unit="kWh/d"),
        at_most("water heater: hottest over its thermostat", 0.01, float(tank.max()) - 55.0,
                "deadband", unit="K"),
        holds("water heater: share of the time above 40 C", f"{100 * hot.mean():.2f} %",
              "it serves its people", float(hot.mean()) > 0.99),
    ]  # fmt: skip


def _wind_turbine() -> list[Check]:
    checks, rated = [], 10.0
    # A hub at 10 m without gusts, so that the wind equals the weather's.
    still = {"nameplate_capacity": rated, "hub_height": 10.0, "turbulence_intensity": 0.0}
    sites = make_sites(altitude=0.0)
    for wind, wanted in ((2.5, 0.0), (6.0, None), (11.4, rated), (20.0, rated), (26.0, 0.0)):
        sky = make_weather(temperature_c=15.0, wind_m_s=wind)
        telemetry = drive(WindTurbine, [still], lambda i: _nothing(1), 60, 1.0,
                     lambda tick, sky=sky: sky, sites=sites)  # type: ignore[misc]  # fmt: skip
        if wanted is None:
            wanted = rated * (wind**3 - 27.0) / (11.4**3 - 27.0)
        source = "Carrillo et al., Renew. Sust. Energy Rev. 21 (2013), cubic curve"
        found = float(outputs(telemetry)[-1, 0])
        checks.append(near(f"turbine of 10 kW at {wind:g} m/s", wanted, found, source, by=0.05,
                           unit="kW"))  # fmt: skip
    gusty = {"nameplate_capacity": rated, "hub_height": 60.0, "shear": 0.0}
    n, sky = 30, make_weather(temperature_c=15.0, wind_m_s=15.0)
    telemetry = drive(WindTurbine, [gusty] * n, lambda i: _nothing(n), 7200, 1.0, lambda tick: sky)
    hub = extras(telemetry, "hub_wind")
    blocks = hub.reshape(12, 600, n)
    intensity = float(np.sqrt(blocks.var(axis=1).mean())) / float(hub.mean())
    # IEC's class B: expected intensity .14 at 15 m/s; gusts slower than ten minutes are not
    # included.
    checks.append(near("turbulence intensity within 10 min at 15 m/s", 0.14, intensity, _IEC,
                       rel=0.15))  # fmt: skip
    checks.append(_wind_distribution())
    return checks


def _wind_distribution() -> Check:
    sites = make_sites(1)
    weather = Synthetic(SyntheticSettings(mean_wind=3.5), sites, Draws(4))
    start = utc_ms("2026-01-01")
    wind = np.array([weather.at(start + h * 7_200_000).wind_m_s[0] for h in range(4380)])
    return near("wind at 10 m over a year: mean", 3.5, float(wind.mean()), "its setting",
                rel=0.1, unit="m/s")  # fmt: skip


def _generator() -> list[Check]:
    asked = np.array([100.0, 50.0, 5.0])
    entries = [{"nameplate_capacity": 100.0}] * 3
    telemetry = drive(Generator, entries, lambda i: asked, 3660, 1.0)
    power, fuel = outputs(telemetry), extras(telemetry, "fuel_l")
    begins = float(np.argmax(power[:, 0] > 0.0))
    full = float(np.argmax(power[:, 0] > 99.9))
    hourly = fuel[-1] - fuel[59]
    # Diesel with HOMER's values: 43.2 MJ/kg, 0.82 kg/l.
    efficiency = power[-1] / (hourly * 43.2 * 0.82 / 3.6)
    return [
        near("generator: start delay", 10.0, begins, "NFPA 110, type 10", by=1.0, unit="s"),
        near("generator: seconds from zero to full at 5 %/s", 20.0, full - begins, "its setting",
             by=1.0, unit="s"),
        near("generator of 100 kW: fuel at full load", 33.0, float(hourly[0]), _HOMER, rel=0.01,
             unit="l/h"),
        near("generator: fuel at half load", 20.5, float(hourly[1]), _HOMER, rel=0.01, unit="l/h"),
        near("generator: efficiency at full load", 0.31, float(efficiency[0]), _HOMER, by=0.01),
        near("generator: efficiency at half load", 0.25, float(efficiency[1]), _HOMER, by=0.01),
        near("generator asked for 5 %: minimum load", 30.0, float(power[-1, 2]),
             "makers against wet stacking", by=0.01, unit="kW"),
    ]  # fmt: skip
