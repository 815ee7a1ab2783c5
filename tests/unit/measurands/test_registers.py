"""Energy registers: exact integrals of the reported power, through faults and checkpoints."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from gridsim.api import Batch, Floats
from gridsim.contracts.results import TickResult
from gridsim.simulation.measurands.registers import Registers
from gridsim.simulation.step import Simulation
from gridsim.testing import DeviceFaultContract
from gridsim_plugins.faults.counter_reset import CounterReset
from gridsim_plugins.faults.counter_rollover import CounterRollover
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench

NAMES = ("energy_import_kwh", "energy_export_kwh", "meter_import_kwh", "meter_export_kwh")
TICK_S = 6600
TEN_DAYS = 10 * 86_400 // TICK_S
CONFIG = f"""
[simulation]
seed = 3
tick_s = {TICK_S}
speed = 0
start = 2026-03-10T00:00:00Z
[site]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4
[weather]
type = "clear"
[[projects]]
id = "HOME_{{n}}"
count = 1
load = {{ type = "household", annual_kwh = 4000 }}
baseline = 2.0
"""
TYPES = {
    "solar": "nameplate_capacity = 8.0",
    "battery": "nameplate_capacity = 5.0\nenergy_capacity_kwh = 10.0",
    "ev_charger": "nameplate_capacity = 11.0",
    "heat_pump": "nameplate_capacity = 3.0",
    "water_heater": "nameplate_capacity = 2.0\nreport_every_s = 26400",
    "wind_turbine": "nameplate_capacity = 4.0",
    "generator": "nameplate_capacity = 5.0",
}
DERS = "".join(
    f'[[projects.ders]]\nid = "{{project_id}}_{name}"\ntype = "{name}"\n{settings}\n'
    for name, settings in TYPES.items()
)
OUTPUT = f"""
[[transports]]
type = "stdout"
format = {{ type = "json", extra_fields = {list(NAMES)} }}
"""
FAULTS = """
[[faults]]
type = "offline"
readings = "stored"
per_day = 0.5
duration_s = 40000
[[faults]]
type = "drop"
probability = 0.05
[[faults]]
type = "spike"
per_day = 1.0
duration_s = 14000
[[faults]]
type = "sign_flip"
ders = ["*_battery"]
per_day = 0.5
duration_s = 30000
"""


class TestCounterReset(DeviceFaultContract):
    fault = CounterReset
    settings = ({}, {"der_registers": False, "site_registers": True})


class TestCounterRollover(DeviceFaultContract):
    fault = CounterRollover
    settings = ({}, {"capacity": 0.5, "site_registers": True})


def wh(kwh: Floats) -> list[int]:
    assert (kwh == np.round(kwh, 3)).all()
    return [int(value) for value in np.rint(kwh * 1000.0)]


def rounded_wh(hundredths: int, tick_ms: int) -> int:
    """Round an integral to Wh, half up."""
    exact = Fraction(hundredths * tick_ms, 360_000)
    return int(exact + Fraction(1, 2))


def test_registers_of_ten_days_are_the_integral_of_the_truth(bench: Bench) -> None:
    """At each tick and for all types: with outages, faults, late rows and a resumed checkpoint."""
    scenario, _ = bench.plan(CONFIG + DERS + OUTPUT + FAULTS)
    simulation = Simulation(scenario)
    project = scenario.roster.project
    n, sites = len(project), len(scenario.sites)
    sums = np.zeros((2, n), np.int64)
    nets = np.zeros((2, sites), np.int64)
    expected: list[list[list[int]]] = []
    late = 0
    for index in range(TEN_DAYS):
        if index == TEN_DAYS // 2:
            simulation = resumed(simulation, scenario)
        result = simulation.advance()
        now = [
            [rounded_wh(value, TICK_S * 1000) for value in row.tolist()]
            for row in (*sums, *nets[:, project])
        ]
        expected.append(now)
        truth = result.truth
        assert truth is not None
        for name, values in zip(NAMES, now, strict=True):
            assert wh(truth.extra[name]) == values
        late += compare(result, expected)
        power = np.rint(truth.output_kw * 100.0).astype(np.int64)
        net = np.rint(truth.load_kw * 100.0).astype(np.int64)
        np.subtract.at(net, project, power)
        sums += np.maximum((-power, power), 0)
        nets += np.maximum((net, -net), 0)
    assert late > 100
    # All types have drawn or fed: a register that stays at zero would prove nothing.
    used = sums.sum(axis=0) > 0
    types = np.array(scenario.roster.type)
    assert {str(one) for one in set(types[used])} == set(types) - {"generator"}


def compare(result: TickResult, expected: list[list[list[int]]]) -> int:
    """Compare each row with the registers of its own time; return the number of late rows."""
    batch = result.batch
    for name, place in zip(NAMES, range(4), strict=True):
        rows = zip(batch.tick.tolist(), batch.device.tolist(), strict=True)
        assert wh(batch.extra[name]) == [expected[tick][place][device] for tick, device in rows]
    return int((batch.tick < result.tick).sum())


@pytest.mark.parametrize("tick_ms", [1, 50, 1000, 7_001, 60_000, 86_400_000])
def test_a_register_counts_exactly_over_its_life(tick_ms: int) -> None:
    """Half a century of the largest power does not overflow, and no Wh is lost by carrying."""
    largest, carry = 100_000_000_000, 10_000_000
    power = np.array([largest, -1, 0])
    ticks = 50 * 366 * 86_400_000 // tick_ms
    carries, since = divmod(ticks, carry)
    # The state of a meter one tick before its last carry, or before the end of its life.
    since = since if carries == 0 else carry
    block_wh, block = Fraction(carry * largest * tick_ms, 360_000), max(carries - 1, 0)
    registers = Registers(3, tick_ms)
    state = registers.state()
    state["_sums"][:] = np.maximum((-power, power), 0) * (since - 1)
    state["_ticks"] = since - 1
    state["_wh"][1, 0] = int(block_wh) * block
    registers.restore(state)
    for count in (since, since + 1):
        registers.add(power)
        exported = int(block_wh) * block + rounded_wh(count * largest, tick_ms)
        assert registers.read(1)[0] == exported / 1000.0
        assert registers.read(0)[1] == rounded_wh(count, tick_ms) / 1000.0
        assert registers.read(0)[2] == registers.read(1)[2] == 0.0
    again = Registers(3, tick_ms)
    again.restore(registers.state())
    assert (again.read(1) == registers.read(1)).all()


@pytest.mark.parametrize("tick_ms", [1, 1000, 7_001, 60_000, 3_600_000])
def test_a_reading_is_exact_up_to_the_limit_of_floats_and_beyond(tick_ms: int) -> None:
    registers = Registers(3, tick_ms)
    # Just below, at and above a half of a Wh, for small sums, and on both sides of 2**50.
    limit = (1 << 50) * 360_000 // (2 * tick_ms * 180_000)
    for size in (0, 1, 1000, limit // 2, limit - 1000, limit + 1000, 4 * limit):
        wh = size * tick_ms // 360_000
        near = -(-(2 * wh + 1) * 180_000 // tick_ms)
        sums = [max(near + step, 0) for step in (-1, 0, 1)]
        state = registers.state()
        state["_sums"][1], state["_ticks"] = sums, 1
        registers.restore(state)
        expected = [rounded_wh(value, tick_ms) / 1000.0 for value in sums]
        assert registers.read(1).tolist() == expected


def rows_of(batches: list[Batch], name: str, device: int) -> list[int]:
    return wh(np.concatenate([one.extra[name][one.device == device] for one in batches]))


def test_a_reset_counter_starts_from_zero_and_the_truth_goes_on(bench: Bench) -> None:
    fault = '[[faults]]\ntype = "counter_reset"\nders = ["HOME_1_solar"]\n'
    fault += f"after_s = {30 * TICK_S}\nduration_s = {30 * TICK_S}\n"
    # From tick 30 to before tick 60.
    scenario, _ = bench.plan(CONFIG + DERS + OUTPUT + fault)
    simulation = Simulation(scenario)
    results = [simulation.advance() for _ in range(70)]
    truth = [one.truth.extra["energy_export_kwh"][0] for one in results if one.truth]
    shown = rows_of([one.batch for one in results], "energy_export_kwh", 0)
    true = wh(np.array(truth))
    assert true[30] > 0
    assert shown[:30] == true[:30]
    assert shown[30:60] == [value - true[30] for value in true[30:60]]
    assert shown[60:] == true[60:]
    labels = [one.batch.labels for one in results]
    marked = [bool(one.faults[0]) for one in labels if one is not None]
    assert marked == [30 <= tick < 60 for tick in range(70)]
    net = rows_of([one.batch for one in results], "meter_import_kwh", 0)
    assert net == wh(
        np.array([one.truth.extra["meter_import_kwh"][0] for one in results if one.truth])
    )


def test_a_counter_rolls_over_when_it_is_full(bench: Bench) -> None:
    fault = '[[faults]]\ntype = "counter_rollover"\ncapacity = 1.5\nsite_registers = true\n'
    scenario, _ = bench.plan(CONFIG + DERS + OUTPUT + fault)
    simulation = Simulation(scenario)
    rolled = dict.fromkeys(NAMES, 0)
    for _ in range(60):
        result = simulation.advance()
        assert result.truth is not None
        for name in NAMES:
            true = wh(result.truth.extra[name][result.batch.device])
            assert wh(result.batch.extra[name]) == [value % 1500 for value in true]
            rolled[name] += sum(value >= 1500 for value in true)
    assert all(rolled.values())


def test_a_meter_class_changes_the_reported_registers_alone(bench: Bench) -> None:
    scenario, _ = bench.plan(CONFIG.replace("[site]", '[site]\nmeter_class = "1"') + DERS + OUTPUT)
    simulation = Simulation(scenario)
    results = [simulation.advance() for _ in range(120)]
    for name in NAMES:
        last = results[-1]
        assert last.truth is not None
        reported, true = last.batch.extra[name], last.truth.extra[name][last.batch.device]
        assert (np.abs(reported - true) <= 0.008 * true + 0.001).all()
        assert (reported != true).any()
        for device in range(3):
            shown = rows_of([one.batch for one in results], name, device)
            assert shown == sorted(shown)


def test_a_run_that_wants_no_measurand_has_none(bench: Bench) -> None:
    plain = '[[transports]]\ntype = "stdout"\n'
    scenario, _ = bench.plan(CONFIG + DERS + plain)
    assert scenario.measurands == ()
    assert not set(NAMES) & set(scenario.roster.columns)
    assert "measurands" not in Simulation(scenario).state()
    one = OUTPUT.replace(str(list(NAMES)), '["meter_export_kwh"]')
    scenario, _ = bench.plan(CONFIG + DERS + one)
    assert scenario.measurands == ("meter_export_kwh",)
    wanted = CONFIG.replace("[site]", 'measurands = ["energy_export_kwh"]\n[site]')
    scenario, _ = bench.plan(wanted + DERS + plain)
    assert scenario.measurands == ("energy_export_kwh",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'energy_import_kwh'", "'energy_imprt_kwh'", "did you mean 'energy_import_kwh'?"),
        ("[site]", "measurands = ['energy']\n[site]", "there is no measurand 'energy'"),
        (
            f'format = {{ type = "json", extra_fields = {list(NAMES)} }}',
            '[[faults]]\ntype = "counter_reset"',
            "the fault 'counter_reset' would change nothing",
        ),
    ],
)
def test_a_wrong_name_is_refused_with_a_hint(
    bench: Bench, old: str, new: str, message: str
) -> None:
    with pytest.raises(Exception, match="error") as caught:
        bench.plan((CONFIG + DERS + OUTPUT).replace(old, new))
    assert message in str(caught.value)
