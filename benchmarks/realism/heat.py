"""Heat pumps in cold spells, load profiles of hot water, and the wind climate of a site."""

from __future__ import annotations

from math import gamma
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.realism.drive import drive, extras, outputs, utc_ms
from benchmarks.realism.plotting import canvas, save
from benchmarks.realism.report import Check, Figure, Group, at_most, holds, near
from gridsim.api import Floats
from gridsim.helpers.load_profiles import REFERENCE_KWH, draws_of
from gridsim.testing import make_sites, make_weather
from gridsim_plugins.ders.heat_pump import HeatPump
from gridsim_plugins.ders.water_heater import WaterHeater
from gridsim_plugins.ders.wind_turbine import WindTurbine

_RUHNAU = "Ruhnau, Hirth, Praktiknjo, Scientific Data 6 (2019)"
_TIMERS = "controllers defrost each 30, 60 or 90 min of operation at most, for less than 10 min"
_BAXTER = "Baxter, Moyers, ASHRAE Trans. 91 (1985): defrosting 10.2 % of the energy, frosting 3.7 %"
_DHW = "EN 16147; Regulation (EU) 812/2013, annex VII, table 3"
_COOLING = "10,000 houses in North America, winter: most 15 to 55 h (John et al., IBPC 2018)"
_IEC = "IEC 61400-1: Rayleigh, annual mean of class III"
_START = "2026-01-12T00:00:00"
_HOUSE = {"nameplate_capacity": 6.0, "room_temperature": 20.0, "heat_loss": 250.0,
          "internal_gains": 400.0}  # fmt: skip


def run(plots: Path) -> Group:
    about = """Heat pumps in steady damp air at ticks of 10 s, and in a cold spell of four days at
ticks of a minute; water heaters that follow each load profile to the minute; turbines in the wind
climate of IEC's class III for a year at ticks of ten minutes."""
    return Group(
        "Cold spells, hot water and the wind of a site",
        about,
        [*_defrosts(), *_modes(), *_cooling(), *_profiles(), *_climate()],
        [
            Figure(
                "heat-pump-cold-spell.png",
                "A cold spell: outdoor temperature; power of a heat pump with a backup heater "
                "below -5 degrees, hot water and a night setback of 3 K; room of an old house of "
                "250 W/K, whose time constant is 26 h; three hours at 1 degree.",
            ),
            Figure("hot-water-profiles.png", "A day of each load profile: heat drawn, added up."),
            Figure(
                "wind-climate.png",
                "A month of wind at a hub and its power; the distribution of a year at forty "
                "places, beside Rayleigh's.",
            ),
        ] if _plot(plots) else [],
    )  # fmt: skip


def _pump(
    settings: dict[str, Any], outdoor: Floats, tick_s: float
) -> tuple[Floats, Floats, Floats]:
    """Return power, heat to the room, and room temperature, each [tick]."""
    telemetry = drive(
        HeatPump, [{**_HOUSE, **settings}], lambda i: np.full(1, np.nan), len(outdoor), tick_s,
        lambda tick: make_weather(temperature_c=float(outdoor[tick.index])),
        start_ms=utc_ms(_START), sites=make_sites(timezone="UTC"),
    )  # fmt: skip
    return (
        -outputs(telemetry)[:, 0],
        extras(telemetry, "heat_output")[:, 0],
        extras(telemetry, "room_temperature")[:, 0],
    )


def _cop(outdoor: float) -> float:
    lift = 40.0 - 2.0 * outdoor
    return 0.85 * (6.08 - 0.09 * lift + 0.0005 * lift * lift)


def _defrosts() -> list[Check]:
    drawn, heat, _ = _pump({"heat_loss": 300.0}, np.full(8640, 1.0), 10.0)
    off = heat == 0.0
    starts = np.flatnonzero(off[1:] & ~off[:-1])
    lengths = [int(np.argmin(off[start + 1 :])) / 6.0 for start in starts[:-1]]
    whole = slice(starts[0], starts[-1])
    cost = 100.0 * float(drawn[whole][off[whole]].sum() / drawn[whole].sum())
    dry, _, _ = _pump({"heat_loss": 600.0}, np.full(360, 8.0), 60.0)
    return [
        near("heat pump at 1 C: minutes between defrosts", 55.0,
             float(np.diff(starts).mean()) / 6.0, _TIMERS, by=5.0, unit="min"),
        near("heat pump at 1 C: length of a defrost", 5.0, float(np.mean(lengths)), _TIMERS, by=0.5,
             unit="min"),
        near("heat pump at 1 C: energy of defrosts", 6.95, cost, _BAXTER, by=3.25, unit="%"),
        near("heat pump at 1 C: efficiency with defrosts", _cop(1.0),
             float(heat[whole].sum() / drawn[whole].sum()), _RUHNAU, rel=0.01),
        holds("heat pump at 8 C: defrosts", "none", _TIMERS, bool((dry[60:] > 0.0).all())),
    ]  # fmt: skip


def _modes() -> list[Check]:
    backup = {"backup_heater": 2.0, "defrost": False, "heat_loss": 300.0}
    cold, heat, _ = _pump(backup, np.full(192, -14.0), 900.0)
    mild, _, _ = _pump(backup, np.full(192, -4.0), 900.0)
    steady, _, _ = _pump({"defrost": False}, np.full(480, 0.0), 900.0)
    night, _, room = _pump({"defrost": False, "night_setback": 4.0}, np.full(480, 0.0), 900.0)
    water = -outputs(
        drive(
            HeatPump, [{**_HOUSE, "hot_water_kwh": 5.845}] * 40, lambda i: np.full(40, np.nan),
            14 * 96, 900.0, lambda tick: make_weather(temperature_c=25.0),
            start_ms=utc_ms(_START), sites=make_sites(timezone="UTC"),
        )
    )  # fmt: skip
    tank = water.sum() / 4.0 / 14.0 / 40.0 * 0.85 * (6.08 - 0.09 * 30.0 + 0.0005 * 900.0)
    beyond = cold[-1] - 4.0
    return [
        near("backup heater at -14 C: heat", 4.0 * _cop(-14.0) + beyond, float(heat[-1]),
             "compressor of 4 kW and a heater of 2 kW", rel=0.001, unit="kW"),
        at_most("backup heater above the bivalence point: power", 4.0, float(mild.max()),
                "the compressor alone", unit="kW"),
        near("hot water by the heat pump: heat per day", 5.845, float(tank), "its setting",
             rel=0.05, unit="kWh"),
        at_most("night setback of 4 K: energy over that without", 0.98,
                float(night.sum() / steady.sum()), "a cooler house loses less"),
        near("night setback of 4 K: room at six", 16.0, float(room[4 * 96 + 24]),
             "its setpoint; without heat it would be 15 C", by=0.7, unit="C"),
    ]  # fmt: skip


def _cooling() -> list[Check]:
    """Check the time constant of houses in a night of eight hours without heat at 0 C."""
    checks = []
    for name, loss in (("default house", 150.0), ("old house of 250 W/K", 250.0)):
        free = {"heat_loss": loss, "night_setback": 10.0, "night": "00:00-08:00"}
        _, _, room = _pump(free, np.zeros(48), 600.0)
        rest = _HOUSE["internal_gains"] / loss
        hours = 47.0 / 6.0 / float(np.log((room[0] - rest) / (room[-1] - rest)))
        checks.append(near(f"{name}: time constant", 35.0, hours, _COOLING, by=20.0, unit="h"))
    return checks


def _hot_water(profile: str, variation: float, days: int, n: int) -> Floats:
    telemetry = drive(
        WaterHeater,
        [{"nameplate_capacity": 30.0, "volume": 1000.0, "profile": profile,
          "draw_variation": variation}] * n,
        lambda i: np.full(n, np.nan), days * 1440, 60.0, start_ms=utc_ms(_START),
        sites=make_sites(timezone="UTC"),
    )  # fmt: skip
    return extras(telemetry, "hot_water")


def _profiles() -> list[Check]:
    checks = []
    for profile, energy in REFERENCE_KWH.items():
        table = sum(kwh for _, kwh, _ in draws_of(profile))
        found = float(_hot_water(profile, 0.0, 1, 1).sum()) / 60.0
        checks += [
            near(f"load profile {profile}: sum of its table", energy, table, _DHW, by=1e-9,
                 unit="kWh"),
            near(f"load profile {profile}: a day", energy, found, _DHW, rel=1e-4, unit="kWh"),
        ]  # fmt: skip
    spread = float(_hot_water("L", 1.0, 4, 60).mean()) * 24.0
    checks.append(near("load profile L with variation: mean day of 60 homes", 11.655, spread, _DHW,
                       rel=0.03, unit="kWh"))  # fmt: skip
    return checks


def _wind(n: int, days: int) -> tuple[Floats, Floats]:
    """Return the wind at the hub without gusts, and the power over nameplate, [tick, place]."""
    sites = make_sites(n, altitude=0.0)
    object.__setattr__(sites, "longitude", np.linspace(-170.0, 170.0, n))
    telemetry = drive(
        WindTurbine,
        [{"nameplate_capacity": 1.0, "mean_wind": 7.5, "turbulence_intensity": 0.0}] * n,
        lambda i: np.full(n, np.nan), days * 144, 600.0,
        lambda tick: make_weather(n, temperature_c=15.0), sites=sites, site=list(range(n)),
        start_ms=utc_ms("2026-01-01T00:00:00"),
    )  # fmt: skip
    return extras(telemetry, "hub_wind"), outputs(telemetry)


def _climate() -> list[Check]:
    wind, power = _wind(40, 365)
    scale = 7.5 / gamma(1.5)
    speeds = np.linspace(0.0, 40.0, 40_001)
    density = 2.0 * speeds / scale**2 * np.exp(-((speeds / scale) ** 2))
    curve = np.clip((speeds**3 - 27.0) / (11.4**3 - 27.0), 0.0, 1.0) * (speeds < 25.0)
    expected = float((density * curve).sum() * (speeds[1] - speeds[0]))
    off = wind - wind.mean()
    checks = [
        near(f"wind, quantile {100 * q:g} %", scale * float(np.sqrt(-np.log(1.0 - q))),
             float(np.quantile(wind, q)), _IEC, rel=0.05, unit="m/s")
        for q in (0.1, 0.5, 0.9, 0.99)
    ]  # fmt: skip
    return [
        near("wind, mean of forty places", 7.5, float(wind.mean()), _IEC, rel=0.02, unit="m/s"),
        *checks,
        near("wind, correlation after an hour", 0.9, float((off[6:] * off[:-6]).mean() / off.var()),
             "Brett, Tuller, J. Appl. Meteorol. 30 (1991)", by=0.08),
        near("turbine, capacity factor", expected, float(power.mean()),
             "the cubic curve over Rayleigh's distribution", rel=0.04),
    ]  # fmt: skip


def _plot(plots: Path) -> bool:
    _plot_spell(plots)
    figure, axes = canvas(size=(8, 3.6))
    for profile in REFERENCE_KWH:
        kw = _hot_water(profile, 0.0, 1, 1)[:, 0]
        axes.plot(np.arange(1440) / 60.0, np.cumsum(kw) / 60.0, lw=0.9, label=profile)
    axes.set(xlabel="hour", ylabel="kWh since midnight", xlim=(5, 24), xticks=range(6, 25, 2))
    axes.legend(ncols=4)
    save(figure, plots, "hot-water-profiles.png")
    wind, power = _wind(40, 90)
    figure, axes = canvas(3, size=(8, 7))
    month = slice(0, 30 * 144)
    days = np.arange(30 * 144) / 144.0
    axes[0].plot(days, wind[month, 7], lw=0.8)
    axes[0].set(ylabel="wind at the hub, m/s", xlim=(0, 30), ylim=(0, None))
    axes[1].plot(days, 100.0 * power[month, 7], lw=0.8, color="C1")
    axes[1].set(xlabel="day", ylabel="power, % of nameplate", xlim=(0, 30), ylim=(0, 105))
    axes[2].hist(wind.ravel(), np.arange(0, 30, 0.5), density=True, label="gridsim")
    speeds = np.linspace(0.0, 30.0, 301)
    scale = 7.5 / gamma(1.5)
    axes[2].plot(speeds, 2.0 * speeds / scale**2 * np.exp(-((speeds / scale) ** 2)), "k-",
                 label="Rayleigh, 7.5 m/s")  # fmt: skip
    axes[2].set(xlabel="wind at the hub, m/s", ylabel="density, s/m", xlim=(0, 30))
    axes[2].legend()
    save(figure, plots, "wind-climate.png")
    return True


def _plot_spell(plots: Path) -> None:
    minutes = np.arange(4 * 1440)
    day = minutes / 1440.0
    outdoor = 2.0 - 14.0 * np.exp(-(((day - 2.2) / 0.7) ** 2)) + 2.0 * np.cos(
        2.0 * np.pi * (day - 0.6)
    )  # fmt: skip
    settings = {"backup_heater": 2.0, "hot_water_kwh": 5.845, "night_setback": 3.0}
    drawn, _, room = _pump(settings, outdoor, 60.0)
    figure, axes = canvas(4, size=(8, 9))
    axes[0].plot(day, outdoor, lw=0.9)
    axes[0].axhline(-5.0, color="k", lw=0.5, label="bivalence point of the backup heater")
    axes[0].set(ylabel="outdoors, C", xlim=(0, 4))
    axes[0].legend(loc="lower left")
    axes[1].plot(day, drawn, lw=0.7, label="heat pump of 4 kW and backup heater of 2 kW")
    axes[1].set(ylabel="kW", xlim=(0, 4), ylim=(0, 7.5))
    axes[1].legend(loc="upper left")
    axes[2].plot(day, room, lw=0.9, label="room")
    hour = 24.0 * (day % 1.0)
    wanted = np.where((hour >= 22.0) | (hour < 6.0), 17.0, 20.0)
    axes[2].plot(day, wanted, "k:", lw=0.8, label="setpoint")
    axes[2].set(ylabel="C", xlabel="day", xlim=(0, 4))
    axes[2].legend(loc="lower right")
    close, _, _ = _pump({"heat_loss": 300.0}, np.full(1440, 1.0), 15.0)
    axes[3].plot(np.arange(720) / 4.0, close[720:], lw=0.9)
    axes[3].set(ylabel="kW", xlabel="minute; defrosts in damp air of 1 C", xlim=(0, 180))
    save(figure, plots, "heat-pump-cold-spell.png")
