"""The expectation over many homes with consuming DERs, and over single ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Command, Target
from gridsim.config.resolve import Flags
from gridsim.errors import PluginError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed

HOMES = """
[[projects]]
id = "HOME_{{n:04}}"
count = {count}
contract_threshold = 2.0
load = {{ type = "household", spread = 0.3, appliances = {appliances} }}
{baseline}

[[projects.ders]]
id = "{{project_id}}_EV"
type = "ev_charger"
nameplate_capacity = 7.2

[[projects.ders]]
id = "{{project_id}}_HP"
type = "heat_pump"
nameplate_capacity = {{ uniform = [3.0, 6.0] }}
{cooling}

[[projects.ders]]
id = "{{project_id}}_WH"
type = "water_heater"
nameplate_capacity = 3.0

[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
strategy = "self_consumption"
"""
PHOENIX = 'latitude = 33.4\nlongitude = -112.1\ntimezone = "America/Phoenix"'
SYDNEY = 'latitude = -33.9\nlongitude = 151.2\ntimezone = "Australia/Sydney"'
CONSUMING = ("ev_charger", "heat_pump", "water_heater")


def simulation(
    folder: Path,
    start: str,
    *,
    count: int = 1000,
    tick_s: float = 60,
    place: str = 'latitude = 52.5\nlongitude = 13.4\ntimezone = "Europe/Berlin"',
    baseline: str = "",
    cooling: str = "",
    appliances: str = "false",
    more: str = "",
) -> Simulation:
    path = folder / "c.toml"
    homes = HOMES.format(count=count, baseline=baseline, cooling=cooling, appliances=appliances)
    path.write_text(
        f"[simulation]\ntick_s = {tick_s}\nstart = {start}\n{more}\n[site]\n{place}\n"
        f'{homes}\n[[transports]]\ntype = "stdout"\n',
        encoding="utf-8",
    )
    return Simulation(make_plan(Options(path, flags=Flags())).configuration.scenario)


def drawn(made: Simulation, ticks: int) -> tuple[Any, Any]:
    """Return baseline, and load plus consuming DERs: the means over the homes, [ticks]."""
    rows = np.array([one in CONSUMING for one in made.roster.type])
    homes = len(made.roster.project_id)
    baseline, net = np.empty(ticks), np.empty(ticks)
    for tick in range(ticks):
        batch = made.step()
        baseline[tick] = batch.baseline.mean()
        net[tick] = batch.power_meter_measurement.mean() - batch.current_output[rows].sum() / homes
    return baseline, net


@pytest.mark.parametrize(
    ("start", "given"),
    [
        ("2026-01-14T05:00:00Z", {}),
        ("2026-04-15T09:00:00Z", {}),
        ("2026-10-18T16:00:00Z", {}),
        ("2026-07-15T21:00:00Z", {"place": PHOENIX, "cooling": "cooling_temperature = 25.0"}),
        ("2026-07-15T07:00:00Z", {"place": SYDNEY}),
    ],
)
def test_the_expectation_of_many_homes_is_what_they_draw_at_any_hour_and_season(
    tmp_path: Path, start: str, given: dict[str, Any]
) -> None:
    baseline, net = drawn(simulation(tmp_path, start, tick_s=300, **given), 3 * 12)
    hourly = net.reshape(3, -1).mean(axis=1)
    error = (baseline - net).reshape(3, -1).mean(axis=1) / hourly
    assert (hourly > 0.1).all()
    assert (np.abs(error) < 0.02).all(), error


def test_it_holds_over_a_day_with_appliances_too(tmp_path: Path) -> None:
    made = simulation(tmp_path, "2026-01-14T00:00:00+01:00", tick_s=720, appliances="true")
    baseline, net = drawn(made, 120)
    assert baseline.mean() == pytest.approx(net.mean(), rel=0.02)
    assert np.abs(baseline - net).max() > 0.05  # The appliances are not foreseen one by one.


def test_the_baseline_of_a_home_follows_its_own_car(tmp_path: Path) -> None:
    """Within a minute of its arrival and departure, managed or not."""
    made = simulation(tmp_path, "2026-07-15T16:00:20Z", count=20, tick_s=20)
    car = np.array([one == "ev_charger" for one in made.roster.type])
    charging, missed = 0, 0
    for _ in range(3 * 180):
        batch = made.step()
        power = -np.bincount(made.roster.project[car], batch.current_output[car], 20)
        expected = batch.baseline[np.unique(made.roster.project, return_index=True)[1]]
        charging += int((power > 7.0).sum())
        missed += int(((power > 7.0) & (expected < 7.0)).sum())
    assert charging > 250
    # The minute in which a car arrives or is full, at most.
    assert missed <= 20 * 2 * 3


def test_a_constant_baseline_costs_nothing(tmp_path: Path) -> None:
    made = simulation(tmp_path, "2026-01-14T05:00:00Z", count=2, baseline="baseline = 3.0")
    assert made.step().baseline.tolist() == [3.0] * 10
    assert made.state()["baselines"]["consumption"]["fleets"] is None


def test_a_named_load_stands_for_the_whole_site(tmp_path: Path) -> None:
    named = 'baseline = { type = "constant", kw = 1.5 }'
    made = simulation(tmp_path, "2026-01-14T05:00:00Z", count=2, baseline=named)
    assert made.step().baseline.tolist() == [1.5] * 10


def test_the_expectation_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    start = "2026-01-14T17:00:00Z"
    made = simulation(tmp_path, start, count=5)
    drawn(made, 37)
    copy = resumed(made, simulation(tmp_path, start, count=5))
    assert drawn(made, 150)[0].tolist() == drawn(copy, 150)[0].tolist()


def test_devices_that_do_not_exist_are_not_expected(tmp_path: Path) -> None:
    ghosts = '[[faults]]\ntype = "ghost"\nders = ["*_HP", "*_EV", "*_WH"]\nprobability = 1.0\n'
    made = simulation(tmp_path, "2026-01-14T05:00:00Z", count=3, more=ghosts)
    for _ in range(200):
        batch = made.step()
        assert batch.baseline.tolist() == batch.power_meter_measurement.tolist()


def test_the_expectation_does_not_follow_a_setpoint(tmp_path: Path) -> None:
    """Ten homes with heat pumps that a command has shut down in the middle of the winter."""
    free = simulation(tmp_path, "2026-01-14T05:00:00Z", count=10)
    held = simulation(tmp_path, "2026-01-14T05:00:00Z", count=10)
    free.step()
    off = [
        Command(Target(f"HOME_{n:04}", f"HOME_{n:04}_{ev}"), f"{ev}{n}", "disconnect")
        for n in range(1, 11)
        for ev in ("EV", "HP", "WH")
    ]
    result = held.advance(off)
    assert {one.status for one in result.acknowledgements} == {"accepted"}
    for _ in range(100):
        a, b = free.step(), held.step()
        assert a.baseline.tolist() == b.baseline.tolist()
    consuming = np.array([one in CONSUMING for one in held.roster.type])
    assert b.current_output[consuming].sum() == 0.0 > a.current_output[consuming].sum()


KETTLE = """
from typing import ClassVar

from gridsim.api import Device, DeviceTick, Register, hookimpl


class Kettle(Device):
    consumes: ClassVar[bool] = {consumes}

    def step(self, tick: DeviceTick) -> float:
        if tick.dt_s > 30 and {fails}:
            raise ValueError("boiled dry")
        return -1.25


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("kettle", Kettle)
"""


def kettles(folder: Path, *, consumes: bool, fails: bool = False, on_error: str) -> Simulation:
    (folder / "kettle.py").write_text(KETTLE.format(consumes=consumes, fails=fails))
    path = folder / "c.toml"
    path.write_text(
        f"""
[simulation]
start = 2026-01-14T05:00:00Z
plugins = ["./kettle.py"]
on_error = "{on_error}"
[[projects]]
id = "P"
load = {{ type = "constant", kw = 1.0 }}
contract_threshold = 1.0
[[projects.ders]]
id = "K"
type = "kettle"
nameplate_capacity = 2.0
[[transports]]
type = "stdout"
""",
        encoding="utf-8",
    )
    return Simulation(make_plan(Options(path, flags=Flags())).configuration.scenario)


@pytest.mark.parametrize(("consumes", "baseline"), [(True, 2.25), (False, 1.0)])
def test_a_type_of_ones_own_declares_that_it_consumes(
    tmp_path: Path, consumes: bool, baseline: float
) -> None:
    made = kettles(tmp_path, consumes=consumes, on_error="stop")
    assert made.step().baseline.tolist() == [baseline]


def test_a_type_that_fails_in_the_expectation_is_named_or_left_out(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"the DER type .kettle. failed.*boiled dry"):
        kettles(tmp_path, consumes=True, fails=True, on_error="stop").step()
    skipping = kettles(tmp_path, consumes=True, fails=True, on_error="skip_fleet")
    assert skipping.step().baseline.tolist() == [1.0]
