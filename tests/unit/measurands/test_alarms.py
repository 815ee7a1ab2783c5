"""Alarms, and the states of devices that have stopped or are disconnected."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gridsim.api import ALARMS, Instruction, Target, codes_of, read_instruction
from gridsim.config.text.report import ConfigError
from gridsim.simulation.measurands.conditions import Limits, bit
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed
from tests.fixtures.runs import Bench

SITE = """
[simulation]
seed = 3
tick_s = 60
speed = 0
start = 2026-06-10T15:00:00Z
measurands = ["alarms", "state", "voltage", "energy_export_kwh"]
[weather]
type = "clear"
[[transports]]
type = "stdout"
[[projects]]
id = "P"
load = { type = "constant", kw = 1.0 }
feeder_impedance = 0.1
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
[[projects.ders]]
id = "CAR"
type = "ev_charger"
nameplate_capacity = 7.0
sessions_per_day = 0.0
[[projects.ders]]
id = "HEAT"
type = "heat_pump"
nameplate_capacity = 3.0
"""
FAULT = """
[[faults]]
type = "alarm"
ders = ["PV", "CAR"]
after_s = 120
duration_s = 120
"""
GROUND, SWITCH = float(bit("GROUND_FAULT")), float(bit("AC_DISCONNECT"))


def test_the_bits_are_those_of_sunspec() -> None:
    assert (bit("GROUND_FAULT"), bit("AC_UNDER_VOLT"), bit("MANUFACTURER_ALRM")) == (1, 2048, 65536)
    assert len(ALARMS.names) == 17
    assert codes_of("alarms", "1") is ALARMS
    assert [ALARMS.text(value) for value in (0, 1, 0b10000101, 1 << 20)] == [
        *("", "GROUND_FAULT", "GROUND_FAULT AC_DISCONNECT OVER_TEMP", "20"),
    ]


def test_limits_of_voltage_and_frequency() -> None:
    volts = np.array([202.3, 202.4, 230.0, 253.0, 253.1, np.nan])
    over, under = bit("AC_OVER_VOLT"), bit("AC_UNDER_VOLT")
    found = Limits.of_voltage(np.full(6, 230.0)).alarms(volts)
    assert found is not None
    assert found.tolist() == [under, 0, 0, 0, over, 0]
    assert Limits.of_voltage(np.full(2, 230.0)).alarms(np.array([230.0, np.nan])) is None
    over, under = bit("OVER_FREQUENCY"), bit("UNDER_FREQUENCY")
    for nominal, (low, high) in ((50.0, (47.5, 51.5)), (60.0, (58.5, 61.2))):
        hertz = np.array([low - 0.001, low, nominal, high, high + 0.001])
        found = Limits.of_frequency(np.full(5, nominal)).alarms(hertz)
        assert found is not None
        assert found.tolist() == [under, 0, 0, 0, over]


def extras(simulation: Simulation, ticks: int, name: str) -> list[list[float]]:
    return [simulation.step().extra[name].tolist() for _ in range(ticks)]


def test_a_fault_that_a_device_notices_stops_it(bench: Bench) -> None:
    scenario, _ = bench.plan(SITE + FAULT)
    simulation = Simulation(scenario)
    results = [simulation.advance() for _ in range(6)]
    for tick, result in enumerate(results):
        on, batch = 2 <= tick < 4, result.batch
        assert batch.extra["alarms"].tolist() == ([GROUND, GROUND, 0.0] if on else [0.0] * 3)
        assert batch.extra["state"].tolist()[:2] == ([7.0, 109.0] if on else [4.0, 101.0])
        assert np.isnan(batch.extra["state"][2])
        assert (batch.current_output[0] == 0.0) == on
        assert result.truth is not None
        # The stop is true, and the rows have the label of the fault.
        assert (result.truth.output_kw[0] == 0.0) == on
        assert batch.labels is not None
        assert batch.labels.faults.tolist() == ([1, 1, 0] if on else [0, 0, 0])
    register = [result.batch.extra["energy_export_kwh"][0] for result in results]
    assert register[2] == register[4] < register[5]


def test_an_alarm_alone_changes_no_power(bench: Bench) -> None:
    quiet = FAULT + 'stops = false\nraises = ["over_temp", "over_temp", "cabinet_open"]\n'
    simulation, plain = (Simulation(bench.plan(SITE + more)[0]) for more in (quiet, ""))
    for tick in range(5):
        batch, other = simulation.step(), plain.step()
        expected = float(bit("OVER_TEMP") + bit("CABINET_OPEN")) if 2 <= tick < 4 else 0.0
        assert batch.extra["alarms"].tolist() == [expected, expected, 0.0]
        assert batch.current_output.tolist() == other.current_output.tolist()
        assert batch.extra["state"].tolist()[:2] == [4.0, 101.0]


def test_a_restarted_meter_raises_an_alarm(bench: Bench) -> None:
    fault = '[[faults]]\ntype = "counter_reset"\nders = ["PV"]\n'
    simulation = Simulation(bench.plan(SITE + fault)[0])
    assert extras(simulation, 1, "alarms") == [[float(bit("MEMORY_LOSS")), 0.0, 0.0]]


def order(simulation: Simulation, command: str, der: str) -> list[Instruction]:
    text = json.dumps({"id": f"{der}-{simulation.next_tick}", "command": command}).encode()
    return [read_instruction(text, Target("P", der))]


def test_a_disconnected_device_is_off_or_unavailable(bench: Bench) -> None:
    simulation = Simulation(bench.plan(SITE)[0])

    def told(*commands: str) -> tuple[list[float], list[float]]:
        given = [
            one
            for command in commands
            for der in ("PV", "CAR")
            for one in order(simulation, command, der)
        ]
        extra = simulation.advance(given).batch.extra
        return extra["state"].tolist()[:2], extra["alarms"].tolist()[:2]

    assert told() == ([4.0, 101.0], [0.0, 0.0])
    assert told("disconnect") == ([1.0, 108.0], [SWITCH, SWITCH])
    assert told() == ([1.0, 108.0], [SWITCH, SWITCH])
    assert told("connect") == ([4.0, 101.0], [0.0, 0.0])


def test_a_weak_feeder_raises_the_alarm_of_the_voltage(bench: Bench) -> None:
    weak = SITE.replace("feeder_impedance = 0.1", "feeder_impedance = 2.5")
    simulation = Simulation(bench.plan(weak)[0])
    for _ in range(3):
        extra = simulation.step().extra
        high = extra["voltage"] > 1.1 * 240.0
        assert high[:2].all()
        assert (extra["alarms"] == np.where(high, bit("AC_OVER_VOLT"), 0)).all()


def test_a_stop_continues_from_a_checkpoint_and_without_measurands(bench: Bench) -> None:
    text = SITE.replace('measurands = ["alarms", "state", "voltage", "energy_export_kwh"]', "")
    scenario, _ = bench.plan(text + FAULT)
    whole, first = Simulation(scenario), Simulation(scenario)
    rows = [whole.step().current_output.tolist() for _ in range(6)]
    for _ in range(3):
        first.step()
    again = resumed(first, scenario)
    assert [again.step().current_output.tolist() for _ in range(3)] == rows[3:]
    assert rows[3][0] == 0.0 < rows[4][0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('raises = ["ground"]', "raises"),
        ("raises = []", "raises"),
        ('stops = "yes"', "stops"),
    ],
)
def test_a_wrong_setting_is_refused(bench: Bench, more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bench.plan(SITE + FAULT + more)


STUBBORN = """
from gridsim.api import Device, hookimpl
class Stubborn(Device):
    def step(self, tick):
        return 1.0
@hookimpl
def gridsim_register(register):
    register.der("stubborn", Stubborn)
"""


def test_a_device_that_follows_no_orders_cannot_be_stopped(bench: Bench, tmp_path: Any) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    text = SITE.replace("[simulation]", '[simulation]\nplugins = ["./stubborn.py"]')
    text += '[[projects.ders]]\nid = "S"\ntype = "stubborn"\nnameplate_capacity = 1.0\n'
    every = FAULT.replace('ders = ["PV", "CAR"]\n', "")
    with pytest.raises(ConfigError, match="cannot stop devices of the type 'stubborn'"):
        bench.plan(text + every)
    bench.plan(text + FAULT)
    assert bench.plan(text + every + "stops = false")[0].faults


EVENT = """
[[events]]
id = "E"
after_s = 120
duration_s = 240
target_kw = 1.0
"""


def test_a_stop_also_holds_in_the_counterfactual(bench: Bench) -> None:
    """The baseline in an event is the consumption of a run with the fault and without the event."""
    home = SITE.replace('id = "P"', 'id = "P"\nbaseline = "counterfactual"').replace(
        'measurands = ["alarms", "state", "voltage", "energy_export_kwh"]', ""
    )
    battery = '[[projects.ders]]\nid = "BAT"\ntype = "battery"\nnameplate_capacity = 5.0\n'
    battery += "energy_capacity_kwh = 10.0\n"
    fault = FAULT.replace("after_s = 120", "after_s = 180")
    acted, plain = (
        Simulation(bench.plan(home + battery + more)[0]) for more in (EVENT + fault, fault)
    )
    nets, stops = [], []
    for _ in range(6):
        batch, without = acted.step(), plain.step()
        net = without.power_meter_measurement[0] - without.current_output.sum()
        nets.append((float(batch.baseline[0]), float(net)))
        stops.append(bool(batch.current_output[0] == 0.0))
    assert stops == [3 <= tick < 5 for tick in range(6)]
    for baseline, net in nets[2:]:
        assert baseline == pytest.approx(net, abs=0.02)


def test_an_injected_fault_stops_its_device_at_once(bench: Bench) -> None:
    simulation = Simulation(bench.plan(SITE)[0])
    told = {"id": "1", "command": "inject_fault", "fault": "f", "type": "alarm", "duration_s": 60}
    [instruction] = [read_instruction(json.dumps(told).encode(), Target("P", "PV"))]
    rows = [simulation.advance([instruction] if tick == 1 else ()).batch for tick in range(3)]
    assert [row.current_output[0] == 0.0 for row in rows] == [False, True, False]
    assert [row.extra["alarms"][0] for row in rows] == [0.0, GROUND, 0.0]
