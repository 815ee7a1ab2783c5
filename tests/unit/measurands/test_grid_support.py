"""Grid support by IEEE 1547-2018: the curves, the fixed point of voltage and power, and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import Floats, GridSample, GridSupport, GridSupportSettings, Tick
from gridsim.config.text.report import ConfigError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from gridsim.testing import make_members, make_sites, make_weather
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench

RATED = 10.0
LONG_S = 3600.0


def support(*settings: dict[str, Any], site: list[int] | None = None) -> GridSupport:
    given = [{"nameplate_capacity": RATED, **one} for one in settings]
    sites = make_sites(len(given))
    places = list(range(len(given))) if site is None else site
    members = make_members(GridSupportSettings, given, sites=sites, site=places)
    made = GridSupport.of(members)
    assert made is not None
    return made


def tick(voltage: Floats, slope: float = 0.0, dt_s: float = LONG_S, hz: float = 50.0) -> Tick:
    n = len(voltage)
    same = [np.full(n, value) for value in (hz, 50.0, slope, 0.5 * slope)]
    grid = GridSample(same[0], same[1], voltage, same[2], same[3])
    return Tick(0, 0, dt_s, make_weather(n), grid)


def applied(made: GridSupport, now: Tick, power: float, n: int) -> tuple[Floats, Floats]:
    return made.apply(now, np.full(n, power), np.full(n, -RATED), np.full(n, RATED))


@pytest.mark.parametrize(
    ("category", "points"),
    [
        ("category_a", [(0.85, 2.5), (0.9, 2.5), (0.95, 1.25), (1.0, 0.0), (1.1, -2.5)]),
        ("category_b", [(0.9, 4.4), (0.92, 4.4), (0.98, 0.0), (1.02, 0.0), (1.05, -2.2)]),
        ("category_b", [(1.08, -4.4), (1.2, -4.4), (0.95, 2.2)]),
        ("off", [(0.9, 0.0), (1.1, 0.0)]),
    ],
)
def test_volt_var_follows_the_default_curve(
    category: str, points: list[tuple[float, float]]
) -> None:
    volts, expected = map(np.array, zip(*points, strict=True))
    made = support(*({"volt_var": category, "freq_watt": True} for _ in points))
    _, kvar = applied(made, tick(volts), 5.0, len(points))
    np.testing.assert_allclose(kvar, expected, atol=1e-3)


def test_volt_watt_limits_the_output_and_not_the_draw() -> None:
    volts = np.array([1.0, 1.06, 1.08, 1.1, 1.2])
    for power, expected in ((8.0, [8, 8, 5, 0, 0]), (3.0, [3, 3, 3, 0, 0]), (-8.0, [-8] * 5)):
        made = support(*({"volt_watt": "category_b"} for _ in volts))
        kw, kvar = applied(made, tick(volts), power, len(volts))
        np.testing.assert_allclose(kw, expected, atol=1e-3)
        assert not kvar.any()


@pytest.mark.parametrize(
    ("hz", "change"),
    [(50.0, 0.0), (50.036, 0.0), (49.964, 0.0), (50.161, -0.5), (49.839, 0.5), (52.0, -2.0)],
)
def test_freq_watt_has_a_deadband_and_a_droop(hz: float, change: float) -> None:
    """5 % of 50 Hz are 2.5 Hz for the rated power: 0.125 Hz are 5 % of it."""
    kw, _ = applied(support({"freq_watt": True}), tick(np.ones(1), hz=hz), 6.0, 1)
    expected = min(6.0 + change if abs(change) < 1.0 else 6.0 - (2.0 - 0.036) / 2.5 * RATED, RATED)
    assert kw[0] == pytest.approx(expected, abs=1e-6)


def test_volt_var_follows_other_points() -> None:
    points = ((0.93, 0.3), (0.97, 0.1), (1.01, 0.0), (1.06, -0.4))
    step = ((0.95, 0.2), (0.95, 0.2), (1.0, 0.0), (1.0, 0.0))
    for curve, expected in (
        (points, {0.8: 0.3, 0.93: 0.3, 0.95: 0.2, 0.97: 0.1, 0.99: 0.05, 1.035: -0.2, 1.2: -0.4}),
        (step, {0.9: 0.2, 0.95: 0.2, 0.975: 0.1, 1.0: 0.0, 1.1: 0.0}),
    ):
        made = support(*({"volt_var": curve} for _ in expected))
        _, kvar = applied(made, tick(np.array([*expected])), 5.0, len(expected))
        np.testing.assert_allclose(kvar, [RATED * one for one in expected.values()], atol=1e-3)


def test_volt_watt_and_freq_watt_follow_other_points() -> None:
    volts = np.array([1.0, 1.05, 1.07, 1.09, 1.2])
    made = support(*({"volt_watt": ((1.05, 0.9), (1.09, 0.3))} for _ in volts))
    kw, _ = applied(made, tick(volts), RATED, len(volts))
    np.testing.assert_allclose(kw, [9.0, 9.0, 6.0, 3.0, 3.0], atol=1e-3)
    curve = ((-0.5, 0.2), (-0.1, 0.0), (0.2, 0.0), (0.5, -0.4))
    for hz, change in ((49.0, 2), (49.7, 1), (49.9, 0), (50.2, 0), (50.35, -2), (51.0, -4)):
        for given in ({"freq_watt": curve}, {"freq_watt": True}):
            kw, _ = applied(support(given, {"freq_watt": False}), tick(np.ones(2), hz=hz), 5.0, 2)
            assert kw[1] == 5.0
            if given["freq_watt"] is not True:
                assert kw[0] == pytest.approx(5.0 + change, abs=1e-6)


FOUR = "[[0.92, 0.44], [0.98, 0.0], [1.02, 0.0], [1.08, -0.44]]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (FOUR, "[[0.92, 0.44], [0.98, 0.0], [1.02, 0.0]]", "4 points, not 3"),
        (FOUR, "[]", "4 points, not 0"),
        ("0.44]", "0.45]", "values from -0.44 to 0.44, not 0.45"),
        ("-0.44]", "-0.45]", "values from -0.44 to 0.44, not -0.45"),
        ("1.08", "1.51", "points from 0.5 to 1.5 shares of the nominal voltage, not 1.51"),
        ("[1.02, 0.0]", "[0.97, 0.0]", "in rising order, but 0.97 follows 0.98"),
        ("[1.02, 0.0]", "[0.98, -0.1]", "in rising order, but 0.98 follows 0.98"),
        ("[1.02, 0.0]", "[1.02, 0.1]", "values do not rise, but 0.1 follows 0"),
        ("0.44]", "nan]", "'volt_var.0.1' must be a finite number"),
        ("[0.98, 0.0]", "[0.98]", "'volt_var.1.1' is missing"),
        (FOUR, '"category_c"', "did you mean 'category_b'?"),
        ("volt_var = " + FOUR, "volt_watt = [[1.06, 1.0], [1.1, 1.1]]", "values from 0 to 1"),
        ("volt_var = " + FOUR, "volt_watt = " + FOUR, "2 points, not 4"),
        ("volt_var = " + FOUR, "freq_watt = [[-11, 0], [0, 0], [0, 0], [1, 0]]", "from -10 to 10"),
    ],
)
def test_wrong_points_are_refused(bench: Bench, old: str, new: str, message: str) -> None:
    text = '[[transports]]\ntype = "stdout"\n[[projects]]\nid = "P"\n[[projects.ders]]\nid = "D"\n'
    text += f'type = "solar"\nnameplate_capacity = 5.0\nvolt_var = {FOUR}\n'
    assert bench.plan(text)[0].fleets[0].members.settings[0].supports_grid
    with pytest.raises(ConfigError) as caught:
        bench.plan(text.replace(old, new, 1))
    assert message in str(caught.value)
    assert str(caught.value).count("error:") == 1


def test_reactive_power_comes_first_within_the_apparent_power() -> None:
    made = support({"volt_var": "category_b"}, {"volt_var": "category_b", "apparent_power": 12.0})
    kw, kvar = applied(made, tick(np.full(2, 0.9)), RATED, 2)
    np.testing.assert_allclose(kvar, [4.4, 5.28], atol=1e-3)
    np.testing.assert_allclose(kw, [np.sqrt(100.0 - 4.4**2), RATED], atol=1e-3)


def test_there_is_less_reactive_power_at_little_active_power() -> None:
    for power, expected in ((0.4, 0.0), (0.5, 1.1), (1.0, 2.2), (2.0, 4.4), (-1.0, 2.2)):
        _, kvar = applied(support({"volt_var": "category_b"}), tick(np.full(1, 0.9)), power, 1)
        assert kvar[0] == pytest.approx(expected, abs=1e-3)


def test_90_percent_of_a_change_are_reached_in_the_response_time() -> None:
    made = support({"volt_var": "category_b"}, {"volt_var": "category_a"})
    for _ in range(5):
        _, kvar = applied(made, tick(np.full(2, 0.9), dt_s=1.0), -5.0, 2)
    assert kvar[0] == pytest.approx(0.9 * 4.4, abs=1e-3)
    assert kvar[1] == pytest.approx((1.0 - 0.1**0.5) * 2.5, abs=1e-3)


@pytest.mark.parametrize("slope", [0.001, 0.02])
def test_power_and_voltage_agree_at_any_length_of_the_tick(slope: float) -> None:
    """Three devices at a weak site: a step from voltage to power and back would swing."""
    own = {"volt_var": "category_b", "volt_watt": "category_b"}
    made = support(own, own, own, site=[0, 0, 0])
    rise, seen = np.zeros(3), []
    for _ in range(6):
        kw, kvar = applied(made, tick(1.03 + rise, slope), 9.0, 3)
        rise = np.full(3, slope * kw.sum() + 0.5 * slope * kvar.sum())
        seen.append((kw, kvar, 1.03 + rise[0]))
    for kw, kvar, voltage in seen:
        # The response time is far shorter than the tick, so the curves hold at its end.
        limit = np.clip((1.1 - voltage) / 0.04, 0.0, 1.0) * RATED
        room = np.sqrt(RATED**2 - kvar**2)
        np.testing.assert_allclose(kw, np.minimum(9.0, np.minimum(limit, room)), atol=2e-3)
        target = -0.44 * RATED * np.clip((voltage - 1.02) / 0.06, 0.0, 1.0)
        np.testing.assert_allclose(kvar, target, atol=2e-3)
    assert seen[-1][2] == pytest.approx(seen[0][2], abs=1e-4)


CONFIG = """
[simulation]
seed = 3
tick_s = 300
speed = 0
start = 2026-06-10T09:00:00Z
measurands = ["meter_voltage", "reactive_kvar", "voltage", "current", "power_factor"]
[site]
timezone = "Europe/London"
latitude = 52
longitude = 0
feeder_impedance = 0.8
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "HOME_{n}"
count = 2
load = { type = "constant", kw = 0.3 }
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 8
MODES
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5
strategy = "idle"
MODES
"""
ON = 'volt_var = "category_b"\nvolt_watt = "category_b"\nfreq_watt = true\n'


def series(scenario: Scenario, ticks: int, name: str = "meter_voltage") -> list[list[float]]:
    simulation = Simulation(scenario)
    return [simulation.step().extra[name].tolist() for _ in range(ticks)]


def test_support_lowers_the_voltage_at_noon(bench: Bench) -> None:
    off, _ = bench.plan(CONFIG.replace("MODES", ""))
    on, _ = bench.plan(CONFIG.replace("MODES", ON))
    without, supported = np.array(series(off, 6)), np.array(series(on, 6))
    assert (without > 1.06 * 230.0).all()
    assert (supported < without - 3.0).all()
    assert (supported < 1.1 * 230.0).all()
    # Solar and battery settle together, and do not swing from tick to tick.
    assert np.abs(np.diff(supported[3:], axis=0)).max() < 0.5


def test_a_supported_run_goes_on_from_a_checkpoint_and_in_shards(bench: Bench) -> None:
    scenario, _ = bench.plan(CONFIG.replace("MODES", ON))
    whole = series(scenario, 5, "reactive_kvar")
    first = Simulation(scenario)
    for _ in range(2):
        first.step()
    again = resumed(first, scenario)
    assert [again.step().extra["reactive_kvar"].tolist() for _ in range(3)] == whole[2:]
    shard = series(scenario.subset(["HOME_2"]), 5, "reactive_kvar")
    assert shard == [row[2:] for row in whole]
    assert all(row[2] < 0.0 for row in whole)
    simulation = Simulation(scenario)
    for _ in range(3):
        batch = simulation.step()
        extra = batch.extra
        power = extra["voltage"] * extra["current"] * extra["power_factor"] / 1000.0
        np.testing.assert_allclose(power, batch.current_output, atol=0.02)


PLUGIN = """
from gridsim.api import Device, hookimpl

class Droop(Device):
    @classmethod
    def reads_grid(cls, settings):
        return READS
    def step(self, tick):
        if tick.frequency_hz is None:
            return 0.0
        return 1.0 + (50.0 - tick.frequency_hz) * tick.voltage_pu

@hookimpl
def gridsim_register(register):
    register.der("droop", Droop)
"""


def test_a_device_of_ones_own_reads_the_grid_if_it_says_so(tmp_path: Path) -> None:
    head = CONFIG[: CONFIG.index("[[projects.ders]]")]
    der = '[[projects.ders]]\nid = "{project_id}_D"\ntype = "droop"\nnameplate_capacity = 5\n'
    outputs = []
    for reads in ("True", "False"):
        (tmp_path / f"own_{reads}.py").write_text(PLUGIN.replace("READS", reads))
        own = head.replace("[site]", f'plugins = ["./own_{reads}.py"]\n[site]')
        (tmp_path / "config.toml").write_text(own + der)
        scenario = make_plan(Options(config=tmp_path / "config.toml")).configuration.scenario
        outputs.append(Simulation(scenario).step().current_output)
    assert (np.abs(outputs[0] - 1.0) < 0.3).all()
    assert not outputs[1].any()
