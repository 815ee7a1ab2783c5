"""Heat pumps: defrosting, backup heater, hot water before the room, a cooler night."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gridsim.api import Floats, Orders
from gridsim.testing import FleetContract, make_members, make_tick, make_weather
from gridsim_plugins.ders.heat_pump import HeatPump
from gridsim_plugins.ders.heat_pump.settings import HeatPumpSettings

ROOM = {"nameplate_capacity": 5.0, "room_temperature": 20.0, "internal_gains": 400.0}


class TestModesContract(FleetContract):
    fleet = HeatPump
    settings = (
        {**ROOM, "backup_heater": 2.0, "bivalence_temperature": 15.0, "heat_loss": 400.0},
        {**ROOM, "hot_water_kwh": 11.655, "night_setback": 4.0, "room_temperature": 24.0},
    )
    tick_s = 900.0
    ticks = 96


def run(
    settings: dict[str, Any],
    outdoor: float,
    ticks: int,
    tick_s: float,
    *,
    n: int = 1,
    setpoint: float = float("nan"),
) -> tuple[Floats, Floats, Floats]:
    """(power drawn, heat to the room, room temperature), [tick, device]."""
    fleet = HeatPump(make_members(HeatPumpSettings, [settings] * n, tick_s=tick_s))
    weather = make_weather(temperature_c=outdoor)
    drawn, heat, room = [], [], []
    for index in range(ticks):
        tick = make_tick(index, weather=weather, tick_s=tick_s)
        able = fleet.capability(tick)
        told = fleet.step(tick, Orders(np.full(n, setpoint), np.zeros(n)))
        assert (-told.current_output <= settings["nameplate_capacity"] * (1 + 1e-12)).all()
        assert able.preferred_kw is not None
        assert (able.preferred_kw >= able.min_kw).all()
        drawn.append(-told.current_output)
        heat.append(told.extra["heat_output"])
        room.append(told.extra["room_temperature"])
    return np.array(drawn), np.array(heat), np.array(room)


def cop(outdoor: float) -> float:
    """The published efficiency of a radiator's flow, as installed."""
    lift = 40.0 - 2.0 * outdoor
    return float(0.85 * (6.08 - 0.09 * lift + 0.0005 * lift * lift))


def test_in_cold_damp_air_it_defrosts_and_keeps_the_published_efficiency() -> None:
    large = {**ROOM, "heat_loss": 300.0}
    drawn, heat, room = run(large, 1.0, 4320, 10.0)
    off = heat[:, 0] == 0.0
    starts = np.flatnonzero(off[1:] & ~off[:-1])
    # 12 h at 55 minutes of operation between the starts, of which 5 are a defrost.
    assert 12 <= len(starts) <= 14
    lengths = [int(np.argmin(off[start + 1 :])) for start in starts[:-1]]
    assert all(29 <= length <= 31 for length in lengths), "5 minutes at 10 s"
    in_defrost = drawn[starts + 10, 0] / drawn[starts - 5, 0]
    assert in_defrost == pytest.approx(0.5, abs=0.1)
    whole = slice(starts[0], starts[-1])
    assert heat[whole].sum() / drawn[whole].sum() == pytest.approx(cop(1.0), rel=0.01)
    assert room.min() > 19.5
    coarse = run(large, 1.0, 48, 900.0)
    assert coarse[0].sum() * 900.0 == pytest.approx(drawn.sum() * 10.0, rel=0.03)


@pytest.mark.parametrize(
    ("settings", "outdoor"), [({}, 6.0), ({}, -10.0), ({"defrost": False}, 1.0)]
)
def test_it_defrosts_in_no_other_air(settings: dict[str, Any], outdoor: float) -> None:
    drawn, heat, _ = run({**ROOM, **settings, "min_modulation": 0.0}, outdoor, 360, 60.0)
    assert (heat[60:] > 0.0).all()
    np.testing.assert_allclose(heat[60:] / drawn[60:], cop(outdoor), rtol=1e-9)


def test_a_setpoint_postpones_a_defrost() -> None:
    _, heat, _ = run(ROOM, 1.0, 180, 60.0, setpoint=-2.0)
    assert (heat[:100] > 0.0).all()


def test_the_backup_heater_helps_below_the_bivalence_point_only() -> None:
    cold = {**ROOM, "nameplate_capacity": 6.0, "heat_loss": 250.0, "defrost": False}
    backup = {**cold, "backup_heater": 3.0}
    alone, _, _ = run({**cold, "nameplate_capacity": 3.0}, -15.0, 96, 900.0)
    drawn, heat, room = run(backup, -15.0, 96, 900.0)
    assert alone[-1] == pytest.approx(3.0)
    assert 3.0 < drawn[-1, 0] <= 6.0
    assert heat[-1, 0] == pytest.approx(3.0 * cop(-15.0) + drawn[-1, 0] - 3.0, rel=1e-9)
    assert room[-1, 0] == pytest.approx(20.0, abs=0.6)
    mild, _, cool = run(backup, -4.9, 400, 900.0)
    assert mild.max() <= 3.0 + 1e-9
    assert run({**backup, "bivalence_temperature": -4.8}, -4.9, 4, 900.0, setpoint=-6.0)[0][
        0, 0
    ] == pytest.approx(6.0)
    with pytest.raises(ValidationError, match="less than nameplate_capacity"):
        HeatPumpSettings(nameplate_capacity=3.0, backup_heater=3.0)
    assert cool.min() > 15.0


def test_hot_water_goes_before_the_room() -> None:
    summer = {**ROOM, "hot_water_kwh": 11.655}
    drawn, heat, _ = run(summer, 25.0, 10 * 96, 900.0, n=60)
    assert not heat.any()
    lift = 55.0 - 25.0
    per_day = drawn.sum() * 0.25 / 60 / 10 * 0.85 * (6.08 - 0.09 * lift + 0.0005 * lift * lift)
    assert per_day == pytest.approx(11.655, rel=0.03)
    fine = run(summer, 25.0, 2 * 1440, 60.0, n=20)[0].sum() / 60.0
    # Coarse ticks end the last charges a little later.
    assert fine == pytest.approx(run(summer, 25.0, 2 * 96, 900.0, n=20)[0].sum() / 4.0, rel=0.02)
    # In winter the room waits: less heat at the charges than at other times of full power.
    winter, room_heat, _ = run({**summer, "heat_loss": 400.0}, -10.0, 96, 900.0, n=20)
    charging = (winter > 4.99) & (room_heat < 0.5)
    assert charging.any()
    # The compressor serves one at a time, and the backup heater none of them.
    backup = {**summer, "nameplate_capacity": 7.0, "backup_heater": 3.0, "heat_loss": 250.0}
    both, _, _ = run({**backup, "bivalence_temperature": -20.0}, 0.0, 96, 900.0, n=20)
    assert both.max() <= 4.0 + 1e-9
    # A setpoint of zero makes it wait, and it is made up for afterwards.
    assert not run(summer, 25.0, 96, 900.0, n=20, setpoint=0.0)[0].any()


def test_a_night_is_cooler_and_saves_energy() -> None:
    light = {**ROOM, "heat_capacity": 3.0, "defrost": False}
    day, _, _ = run(light, 0.0, 5 * 96, 900.0)
    drawn, _, room = run({**light, "night_setback": 4.0}, 0.0, 5 * 96, 900.0)
    assert drawn.sum() < 0.97 * day.sum()
    # 9:00 in Moncton at the start: 22:00 is tick 52, 6:00 is tick 84.
    night, noon = room[96 + 80, 0], room[96 + 96 + 12, 0]
    assert 15.5 < night < 17.5
    assert noon == pytest.approx(20.0, abs=0.6)
    # In the first half hour of the night it is off; after it, above its power of the evening.
    assert drawn[96 + 53, 0] == 0.0
    assert drawn[96 + 85, 0] > 1.2 * drawn[96 + 51, 0]
    with pytest.raises(ValidationError, match="not a window"):
        HeatPumpSettings(nameplate_capacity=3.0, night="22-6")


def test_the_taps_of_a_load_profile_drive_the_charges() -> None:
    def charges(profile: str, kwh: float, volume: float = 200.0) -> tuple[Floats, Floats]:
        """Return the charges of each home in a day, and their mean energy, kWh."""
        given = {**ROOM, "hot_water_kwh": kwh, "hot_water_profile": profile, "tank_volume": volume}
        drawn, _, _ = run(given, 25.0, 5 * 720, 120.0, n=20)
        on = drawn > 0.0
        starts = (on[1:] & ~on[:-1]).sum(axis=0)
        return starts / 5.0, drawn.sum(axis=0) / 30.0 / starts

    family, energy = charges("M", 5.845)
    # A charge is 7 K of 200 l, 1.63 kWh of heat, and the rest of the tap that began it.
    assert ((family > 1.8) & (family < 3.6)).all()
    lift = 30.0
    heat = energy * 0.85 * (6.08 - 0.09 * lift + 0.0005 * lift * lift)
    assert ((heat > 1.63) & (heat < 3.1)).all()
    baths, _ = charges("L", 11.655)
    small, _ = charges("M", 5.845, volume=100.0)
    assert baths.mean() > family.mean()
    assert small.mean() > 1.5 * family.mean()
    # Where no profile taps, there is no charge.
    assert not run({**ROOM, "hot_water_profile": "L"}, 25.0, 720, 120.0)[0].any()


def test_a_charge_waits_for_the_end_of_a_setpoint() -> None:
    given = {**ROOM, "hot_water_kwh": 11.655}
    assert not run(given, 25.0, 1440, 60.0, n=5, setpoint=0.0)[0].any()
