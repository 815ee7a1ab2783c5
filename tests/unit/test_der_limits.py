"""Limits go before strategies, setpoints and guards; wishes are what a device then does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from gridsim.api import Fleet, Floats, Orders, WeatherSample
from gridsim.testing import make_members, make_tick, make_weather
from gridsim_plugins.ders.battery import Battery
from gridsim_plugins.ders.ev_charger import EvCharger
from gridsim_plugins.ders.generator import Generator
from gridsim_plugins.ders.heat_pump import HeatPump
from gridsim_plugins.ders.solar import Solar
from gridsim_plugins.ders.water_heater import WaterHeater
from gridsim_plugins.ders.wind_turbine import WindTurbine

EVENING_MS = int(datetime(2026, 7, 2, 0, tzinfo=UTC).timestamp() * 1000)  # 21:00 in Moncton
NAN, INF = float("nan"), float("inf")


def made(fleet: type[Fleet], settings: dict[str, Any], *, n: int = 1, tick_s: float) -> Fleet:
    entries = [settings] * n
    return fleet(make_members(fleet.Settings, entries, start_ms=EVENING_MS, tick_s=tick_s))


def run(
    fleet: Fleet,
    ticks: range,
    *,
    setpoint: float = NAN,
    least: float = -INF,
    most: float = INF,
    sky: WeatherSample | None = None,
) -> Floats:
    """Output, [tick, device]."""
    n, members = len(fleet.members), fleet.members
    asked = np.full(n, setpoint)
    orders = Orders(asked, np.zeros(n), np.full(n, least), np.full(n, most))
    told = []
    for index in ticks:
        tick = make_tick(
            index, weather=sky, start_ms=members.start_ms, tick_s=members.tick_ms / 1000.0
        )
        if fleet.stage(members.settings[0]) == "flexible":
            fleet.capability(tick)
        told.append(fleet.step(tick, orders).current_output)
    return np.array(told)


def test_a_disconnected_battery_goes_to_nothing_after_its_dead_time() -> None:
    settings = {"nameplate_capacity": 3.57, "losses": "siemens_junelight", "initial_soc": 80.0}
    battery = made(Battery, settings, tick_s=1.0)
    at_rest = run(battery, range(3), setpoint=0.0)
    assert at_rest[:, 0] == pytest.approx(-0.01434, abs=1e-4), "14.9 W full, 12.1 W empty"
    assert run(battery, range(3, 20), setpoint=3.0)[-1] == pytest.approx(3.0, abs=1e-3)
    off = run(battery, range(20, 40), setpoint=3.0, least=0.0, most=0.0)[:, 0]
    assert off[0] == pytest.approx(3.0, abs=1e-3), "within its dead time of 1.6 s"
    assert 0.0 < off[1] < 3.0
    assert (off[10:] == 0.0).all(), "no standby either"
    back = run(battery, range(40, 60), setpoint=3.0)
    assert back[-1] == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize(
    ("least", "drawn"), [(-5.0, 4.8), (-4.8, 4.8), (-1.45, 1.44), (-1.43, 0.0), (-0.0, 0.0)]
)
def test_a_charger_keeps_a_limit_by_whole_amperes(
    managed: bool, least: float, drawn: float
) -> None:
    settings = {"nameplate_capacity": 7.2, "battery_capacity_kwh": 300.0, "managed": managed}
    free = made(EvCharger, settings, n=30, tick_s=60.0)
    charges = run(free, range(1))[0] < -7.0
    assert charges.any()
    limited = made(EvCharger, settings, n=30, tick_s=60.0)
    output = run(limited, range(1), setpoint=-7.0, least=least)[0]
    assert output[charges] == pytest.approx(-drawn)


def test_a_limit_goes_before_what_guards_a_departure() -> None:
    """By vehicle-to-grid the cars are kept as low as may be, until they must charge."""
    settings = {"nameplate_capacity": 7.2, "managed": True, "v2g": True}
    guarded = made(EvCharger, settings, n=60, tick_s=900.0)
    limited = made(EvCharger, settings, n=60, tick_s=900.0)
    assert (run(guarded, range(60), setpoint=7.2) < 0.0).any(), "none must charge"
    output = run(limited, range(60), setpoint=7.2, least=0.0, most=2.5)
    assert output.min() == 0.0
    assert output.max() == 2.5


def test_a_limit_goes_before_comfort() -> None:
    cold = make_weather(temperature_c=-15.0)
    pump = {"nameplate_capacity": 4.0, "managed": True}
    heats = run(made(HeatPump, pump, tick_s=600.0), range(72), setpoint=0.0, sky=cold)
    assert heats[-1] < -1.0, "the comfort band needs heat"
    limited = made(HeatPump, pump, tick_s=600.0)
    # A quarter of the nameplate is the least at which the compressor runs.
    assert run(limited, range(72), least=-1.5, sky=cold)[-1] == pytest.approx(-1.5)
    assert (run(limited, range(72, 144), least=-0.9, sky=cold) == 0.0).all()

    heater = {"nameplate_capacity": 3.0, "daily_draw_kwh": 19.0, "managed": True}
    assert (run(made(WaterHeater, heater, tick_s=600.0), range(144), setpoint=0.0) < -1.0).any()
    limited = made(WaterHeater, heater, tick_s=600.0)
    assert run(limited, range(144), setpoint=0.0, least=-0.5).min() == pytest.approx(-0.5)


def test_a_generator_that_may_not_reach_its_minimum_load_stops() -> None:
    settings = {"nameplate_capacity": 100.0, "min_load": 30.0, "start_delay_s": 2.0}
    generator = made(Generator, settings, tick_s=1.0)
    assert run(generator, range(60), setpoint=80.0)[-1] == 80.0
    assert run(generator, range(60, 90), setpoint=80.0, most=50.0)[-1] == 50.0
    assert run(generator, range(90, 120), setpoint=80.0, most=20.0)[-1] == 0.0


@pytest.mark.parametrize("kind", [Solar, WindTurbine])
def test_a_managed_plant_wishes_for_what_a_free_one_yields(kind: type[Fleet]) -> None:
    sky = make_weather(ghi=700.0, wind_m_s=7.0)
    plain = {"nameplate_capacity": 5.0}
    noon = [make_members(kind.Settings, [{**plain, **more}]) for more in ({}, {"managed": True})]
    free, managed = (kind(members) for members in noon)
    for index in range(15):
        tick = make_tick(index, weather=sky)
        yields = free.step(tick, Orders(np.full(1, NAN), np.zeros(1))).current_output
        able = managed.capability(tick)
        assert yields[0] > 0.5
        assert able.preferred_kw is not None
        assert able.preferred_kw == able.max_kw == yields
        assert managed.capability(tick).max_kw is able.max_kw, "worked out once"
        told = managed.step(tick, Orders(0.5 * able.max_kw, np.zeros(1)))
    assert told.current_output[0] <= 0.6 * yields[0]


CASES: Sequence[tuple[type[Fleet], dict[str, Any], WeatherSample]] = [
    (EvCharger, {"nameplate_capacity": 7.2, "managed": True}, make_weather()),
    (EvCharger, {"nameplate_capacity": 7.2, "managed": True, "strategy": "smart"}, make_weather()),
    (HeatPump, {"nameplate_capacity": 4.0, "managed": True}, make_weather(temperature_c=-5.0)),
    (
        Battery,
        {
            "nameplate_capacity": 5.0,
            "strategy": "time_of_use",
            "charge_windows": ("21:30-23:00",),
            "losses": "ideal",
            "initial_soc": 20.0,
        },
        make_weather(),
    ),
]


@pytest.mark.parametrize(("kind", "settings", "sky"), CASES)
def test_a_wish_is_what_the_device_does_if_nobody_asks(
    kind: type[Fleet], settings: dict[str, Any], sky: WeatherSample
) -> None:
    fleet = made(kind, settings, n=20, tick_s=300.0)
    nothing = Orders(np.full(20, NAN), np.zeros(20))
    does = []
    for index in range(36):
        tick = make_tick(index, weather=sky, start_ms=EVENING_MS, tick_s=300.0)
        wish = fleet.capability(tick).preferred_kw
        output = fleet.step(tick, nothing).current_output
        assert wish == pytest.approx(output, abs=1e-9)
        does.append(output)
    assert np.min(does) < -1.0


def test_a_water_heater_wishes_for_about_what_its_thermostat_draws() -> None:
    heater = {"nameplate_capacity": 3.0, "managed": True}
    fleet = made(WaterHeater, heater, n=200, tick_s=60.0)
    nothing = Orders(np.full(200, NAN), np.zeros(200))
    wished, drawn = 0.0, 0.0
    for index in range(720):
        tick = make_tick(index, start_ms=EVENING_MS, tick_s=60.0)
        wish = fleet.capability(tick).preferred_kw
        assert wish is not None
        wished -= wish.sum()
        drawn -= fleet.step(tick, nothing).current_output.sum()
    assert wished == pytest.approx(drawn, rel=0.1)
