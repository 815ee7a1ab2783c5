"""Commands in a simulation: accepted or rejected, in force, over, superseded."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import Acknowledgement, Instruction, Target, read_instruction
from gridsim.contracts.results import TickResult
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.commands import book
from gridsim.simulation.step import Simulation
from tests.fixtures.resumed import resumed

FLEET = """
[simulation]
seed = 7
tick_s = {tick_s}
start = "2026-07-01T12:00:00Z"

[weather]
type = "clear"

[[transports]]
type = "stdout"

[[projects]]
id = "HOME"
{more}
load = {{ type = "constant", kw = 2.0 }}

[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = 50
strategy = "idle"
losses = "{losses}"

[[projects.ders]]
id = "BAT2"
type = "battery"
nameplate_capacity = 3.0
energy_capacity_kwh = 10.0
initial_soc = 50
strategy = "idle"
losses = "ideal"

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 4.0

[[projects]]
id = "ROOF"
load = {{ type = "constant", kw = 1.0 }}

[[projects.ders]]
id = "PV2"
type = "solar"
nameplate_capacity = 4.0
"""
BAT, BAT2, PV = Target("HOME", "BAT"), Target("HOME", "BAT2"), Target("HOME", "PV")
HOME, ROOF = Target("HOME"), Target("ROOF")


class Run:
    """A simulation, stepped, with what it told and what its devices gave."""

    def __init__(
        self,
        folder: Path,
        tick_s: float = 1.0,
        losses: str = "ideal",
        more: str = "",
        end: str = "",
    ) -> None:
        path = folder / "fleet.toml"
        path.write_text(FLEET.format(tick_s=tick_s, losses=losses, more=more) + end)
        scenario = make_plan(Options(config=path)).configuration.scenario
        self._scenario = scenario
        self.simulation = Simulation(scenario)
        self.ids = list(scenario.roster.der_id)
        self.told: list[Acknowledgement] = []
        self.power: list[dict[str, float]] = []
        self.soc: list[dict[str, float]] = []

    def resumed(self) -> Run:
        """The same run, from a checkpoint of it."""
        again = copy.deepcopy(self, {id(own): own for own in (self.simulation, self._scenario)})
        again.simulation = resumed(self.simulation, self._scenario)
        return again

    def tick(self, *instructions: Instruction) -> TickResult:
        outcome = self.simulation.advance(instructions)
        batch = outcome.batch
        self.power.append(dict(zip(self.ids, batch.current_output.tolist(), strict=True)))
        self.soc.append(dict(zip(self.ids, batch.current_soc.tolist(), strict=True)))
        self.told += outcome.acknowledgements
        return outcome

    def ticks(self, n: int) -> None:
        for _ in range(n):
            self.tick()

    def ask(self, target: Target, command: str, value: float | None = None, **more: Any) -> None:
        self.tick(request(target, command, value, **more))

    def refused(self, target: Target, payload: bytes) -> str:
        """Why it is rejected; that nothing else happens."""
        [told] = self.tick(read_instruction(payload, target, "test")).acknowledgements
        assert (told.target, told.status, told.source) == (target, "rejected", "test")
        return told.reason

    def statuses(self) -> list[tuple[str, str, int]]:
        return [(one.id, one.status, one.tick) for one in self.told]

    def output(self, der: str) -> list[float]:
        return [power[der] for power in self.power]


def request(target: Target, command: str, value: float | None = None, **more: Any) -> Instruction:
    body = {"id": f"{command}-{value}", "command": command, "value": value, **more}
    return read_instruction(json.dumps(body).encode(), target)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def body(**changes: Any) -> bytes:
    whole = {"id": "c-1", "command": "set_power", "value": 1.0, **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[1, 2]", "must be one JSON object"),
        (b'{"id": "c-1", "command": "set_power", "value": NaN}', "is not JSON"),
        (b"[" * 8000, "is not JSON"),
        (b" " * 8193, "oversize"),
        (b'{"id": "c-1", "command": "set_power", "value": 1e999}', "'value'|JSON"),
        (b'{"id": "c-1", "command": "set_power", "value": ' + b"9" * 5000 + b"}", "'value'|JSON"),
        (body(id=...), "'id' is missing"),
        (body(id=""), "1 to 128 printable"),
        (body(id="x" * 129), "1 to 128 printable"),
        (body(id="a\nb"), "1 to 128 printable"),
        (body(id=7), "1 to 128 printable"),
        (body(command=...), "'command' is missing: write one of set_power"),
        (body(command="set_powr"), "did you mean 'set_power'"),
        (body(command=3), "must be one of set_power"),
        (body(duration=5), "'duration' is not a key of a command; did you mean 'duration_s'"),
        (body(value=...), "'value' is missing: set_power needs a number in kW"),
        (body(value=True), "'value' must be a number in kW"),
        (body(value="1"), "'value' must be a number in kW"),
        (body(unit="W"), '\'unit\' of set_power must be "kW" or "%"'),
        (body(unit=[]), '\'unit\' of set_power must be "kW" or "%"'),
        (body(value=5.01), r"5.01 kW, but set_power takes -5 to 5 kW, its nameplate"),
        (body(value=-101, unit="%"), r"-101 %, but set_power takes -100 to 100 %"),
        (body(command="limit_power", value=-1), "takes 0 to 100 %"),
        (body(command="limit_power", unit="kW", value=6), "takes 0 to 5 kW"),
        (body(command="limit_export", value=-0.5), "takes 0 to 5 kW"),
        (body(command="target_soc", value=100.5), "takes 0 to 100 %"),
        (body(command="connect"), "connect takes no 'value'"),
        (body(command="disconnect", value=..., unit="kW"), "disconnect takes no 'unit'"),
        (body(duration_s=-1), "'duration_s' must be"),
        (body(duration_s=0), "'duration_s' must be"),
        (body(duration_s=1e30), "'duration_s' must be"),
        (body(ramp_s=-1), "'ramp_s' must be"),
        (body(ramp_s="1"), "'ramp_s' must be"),
        (body(command="target_soc", value=50, ramp_s=5), "target_soc takes no 'ramp_s'"),
        (body(start="2026-07-01T12:00:00"), "a time with its offset"),
        (body(start="2026-02-30T12:00:00Z"), "a time with its offset"),
        (body(start="0001-01-01T00:00:00+23:59"), "from 1970|a time"),
        (body(start=1751371200), "a time with its offset"),
        (body(start="2026-07-01T11:00:00Z", duration_s=60), "it would have ended already"),
    ],
)
def test_it_is_rejected_with_a_reason(run: Run, payload: bytes, reason: str) -> None:
    run.tick()
    quiet = run.resumed()
    text = run.refused(BAT, payload)
    assert re.search(reason, text), text
    quiet.tick()
    run.tick()
    quiet.tick()
    assert run.power == quiet.power


@pytest.mark.parametrize(
    ("target", "payload", "reason"),
    [
        (Target("NOWHERE"), body(), "no such project"),
        (Target("HOME", "NOBODY"), body(), "no such DER"),
        (Target("ROOF", "BAT"), body(), "not in this project but in HOME"),
        (PV, body(command="target_soc", value=50), "PV has no storage"),
        (ROOF, body(command="target_soc", value=50), "ROOF has no storage"),
    ],
)
def test_a_target_that_cannot_is_rejected(
    run: Run, target: Target, payload: bytes, reason: str
) -> None:
    run.tick()
    assert reason in run.refused(target, payload)


def test_before_the_first_tick_nobody_knows_who_has_storage(run: Run) -> None:
    run.tick(request(PV, "target_soc", 50), request(BAT, "target_soc", 60))
    assert run.told == []
    run.tick()
    assert [(str(one.target), one.status) for one in run.told] == [
        ("HOME/PV", "rejected"),
        ("HOME/BAT", "accepted"),
    ]


def test_an_id_is_used_once_for_each_target(run: Run) -> None:
    run.tick(
        read_instruction(body(), BAT), read_instruction(body(), BAT), read_instruction(body(), BAT2)
    )
    assert [one.status for one in run.told] == ["accepted", "rejected", "accepted"]
    assert "used before" in run.told[1].reason
    # What was rejected has not used its id.
    run.tick(
        read_instruction(body(id="c-2", value=50), BAT),
        read_instruction(body(id="c-2", value=5), BAT),
    )
    assert [one.status for one in run.told[3:5]] == ["rejected", "accepted"]


def test_a_setpoint_holds_for_its_duration_then_reverts(run: Run) -> None:
    run.tick()
    run.ask(BAT, "set_power", -3.0, duration_s=4)
    run.ticks(5)
    assert run.output("BAT") == [0, -3, -3, -3, -3, 0, 0]
    assert run.statuses() == [("set_power--3.0", "accepted", 1), ("set_power--3.0", "completed", 5)]
    assert run.output("BAT2") == [0] * 7


def test_it_begins_at_its_start_on_the_simulated_clock(run: Run) -> None:
    run.ask(BAT, "set_power", 50, unit="%", start="2026-07-01T14:00:03+02:00", duration_s=2)
    run.ticks(6)
    assert run.output("BAT") == [0, 0, 0, 2.5, 2.5, 0, 0]


def test_what_started_before_holds_for_what_is_left_of_it(run: Run) -> None:
    run.ticks(3)
    run.ask(BAT, "set_power", 1, start="2026-07-01T12:00:00Z", duration_s=5)
    run.ticks(3)
    assert run.output("BAT") == [0, 0, 0, 1, 1, 0, 0]


def test_a_ramp_is_a_straight_line_from_what_flows(run: Run) -> None:
    run.ask(BAT, "set_power", -1)
    run.ask(BAT, "set_power", 4, ramp_s=5)
    run.ticks(6)
    # The mean of each tick of a line from -1 to 4.
    assert run.output("BAT") == [-1, -0.5, 0.5, 1.5, 2.5, 3.5, 4, 4]


def test_dead_time_passes_before_it_shows(tmp_path: Path) -> None:
    run = Run(tmp_path, losses="siemens_junelight")
    run.tick()
    run.ask(BAT, "set_power", -4, ramp_s=8, duration_s=20)
    run.ticks(27)
    output = np.array(run.output("BAT"))
    assert (output[:2] == output[0]).all()  # 1.6 s dead time, 0.6 s time constant
    assert abs(output[2]) < 0.2
    asked = -4 * np.minimum((np.arange(len(output)) - 1 + 0.5) / 8, 1)
    # Behind by the dead time and the time constant: 2.2 s of a ramp of 0.5 kW/s.
    np.testing.assert_allclose(output[6:9] - asked[6:9], 1.1, atol=0.05)
    assert output[20] == output[21] == -4
    assert output[-1] == output[0]
    assert run.told[-1].status == "completed"
    assert run.told[-1].tick == 21


def test_a_newer_one_of_the_same_kind_supersedes(run: Run) -> None:
    run.ask(BAT, "set_power", 1, duration_s=60)
    run.ask(BAT, "limit_power", 50, duration_s=60)
    run.ask(BAT, "set_power", 4, duration_s=3)
    run.ticks(4)
    assert run.output("BAT") == [1, 1, 2.5, 2.5, 2.5, 0, 0]
    superseded = [one for one in run.told if one.status == "superseded"]
    assert [(one.id, one.reason) for one in superseded] == [("set_power-1", "by set_power-4")]
    assert run.told[-1].id == "set_power-4"


def test_what_waits_supersedes_when_it_begins(run: Run) -> None:
    run.ask(BAT, "set_power", 1, start="2026-07-01T12:00:03Z", duration_s=2)
    run.ask(BAT, "set_power", 2)
    run.ticks(4)
    assert run.output("BAT") == [0, 2, 2, 1, 1, 0]
    assert run.statuses()[2:] == [("set_power-2", "superseded", 3), ("set_power-1", "completed", 5)]


def test_limits_bound_whatever_is_asked(run: Run) -> None:
    run.ask(BAT, "limit_export", 2, duration_s=4)
    run.ask(BAT, "set_power", 4)
    run.ask(BAT, "limit_import", 1)
    run.tick()
    run.ask(BAT, "set_power", -4)
    assert run.output("BAT") == [0, 2, 2, 2, -1]


def test_a_limit_ramps_from_the_rated_power(run: Run) -> None:
    run.ask(BAT, "set_power", 5)
    run.ask(BAT, "limit_power", 0, ramp_s=5)
    run.ticks(5)
    assert run.output("BAT") == [5, 4.5, 3.5, 2.5, 1.5, 0.5, 0]


def test_solar_is_cut_and_disconnected(run: Run) -> None:
    run.tick()
    free = run.power[0]["PV"]
    assert free > 1.5
    run.ask(PV, "limit_export", 1.25, duration_s=2)
    run.tick()
    run.ask(PV, "disconnect")
    run.ask(PV, "connect")
    run.tick()
    assert run.output("PV")[1:4] == [1.25, 1.25, 0]
    np.testing.assert_allclose(run.output("PV")[-1], free, atol=0.05)
    assert run.output("PV2")[3] > 1.5


def test_a_projects_power_is_shared(run: Run) -> None:
    run.ask(HOME, "set_power", 4, duration_s=2)
    run.ticks(2)
    shares = [power["BAT"] + power["BAT2"] for power in run.power]
    np.testing.assert_allclose(shares, [4, 4, 0], atol=0.011)
    assert 0 < run.power[0]["BAT2"] < run.power[0]["BAT"]


def test_a_devices_command_goes_over_its_projects(run: Run) -> None:
    run.ask(HOME, "limit_power", 10)
    run.ask(BAT, "limit_power", 40)
    run.tick(request(BAT, "set_power", 5), request(BAT2, "set_power", 3))
    assert (run.power[-1]["BAT"], run.power[-1]["BAT2"]) == (2, 0.3)
    run.ask(HOME, "disconnect")
    run.ask(BAT, "connect")
    assert (run.power[-1]["BAT"], run.power[-1]["BAT2"], run.power[-1]["PV"]) == (2, 0, 0)


def test_a_projects_net_limits_hold(run: Run) -> None:
    run.tick()
    surplus = run.power[0]["PV"] - 2.0
    assert surplus < 1.0
    run.ask(BAT, "set_power", 5)
    run.ask(HOME, "limit_export", 1.0, duration_s=3)
    run.tick()
    net = [2.0 - sum(power[der] for der in ("BAT", "BAT2", "PV")) for power in run.power]
    assert net[1] < -1.5
    assert net[2] >= -1.011
    assert net[3] >= -1.011


def test_a_limit_in_kw_on_a_project_is_shared_by_rating(run: Run) -> None:
    run.ask(HOME, "limit_power", 6.0, unit="kW")
    run.tick(request(BAT, "set_power", 5), request(BAT2, "set_power", -3))
    assert (run.power[-1]["BAT"], run.power[-1]["BAT2"]) == (2.5, -1.5)


@pytest.mark.parametrize("losses", ["ideal", "generic", "siemens_junelight"])
@pytest.mark.parametrize(("tick_s", "target"), [(1.0, 51.0), (60.0, 62.0), (60.0, 31.5)])
def test_a_target_of_the_charge_is_reached_and_held(
    tmp_path: Path, losses: str, tick_s: float, target: float
) -> None:
    run = Run(tmp_path, tick_s, losses)
    run.tick()
    lasts_s = max(300, int(60 * tick_s))
    run.ask(BAT, "target_soc", target, duration_s=lasts_s)
    while run.told[-1].status == "accepted" and len(run.power) < 500:
        run.tick()
    assert run.told[-1].status == "completed"
    assert run.told[-1].reason == ""
    run.ticks(20)
    charge = [soc["BAT"] for soc in run.soc]
    assert abs(charge[-1] - target) <= 0.11
    assert charge[-1] == charge[-10]
    assert max(charge) <= max(50, target) + 0.1
    assert min(charge) >= min(50, target) - 0.1
    full = [power for power in run.output("BAT")[2:] if abs(power) >= 4.9]
    assert len(full) > 3  # at full capability
    done = len(run.told)
    run.ticks(int(lasts_s / tick_s))
    assert len(run.told) == done  # completed once


def test_a_target_that_is_not_reached_in_time_says_so(run: Run) -> None:
    run.tick()
    run.ask(BAT, "target_soc", 90, duration_s=5)
    run.ticks(6)
    assert run.told[-1].status == "completed"
    assert "before the target was reached" in run.told[-1].reason
    assert run.output("BAT")[-1] == 0


def test_a_projects_target_completes_when_all_have_come(run: Run) -> None:
    run.tick()
    run.ask(HOME, "target_soc", 50.5)
    run.ticks(80)
    assert [one.status for one in run.told] == ["accepted", "completed"]
    assert run.soc[-1]["BAT"] == run.soc[-1]["BAT2"] == 50.5
    # 0.5 % of 10 kWh at 3 kW takes a minute; the larger battery is there sooner.
    assert 55 <= run.told[-1].tick <= 65


def test_a_setpoint_of_the_project_takes_the_place_of_its_target(run: Run) -> None:
    run.tick()
    run.ask(HOME, "target_soc", 90)
    run.ask(HOME, "set_power", 2)
    run.tick()
    assert run.told[-1].status == "superseded"
    assert run.power[-1]["BAT"] + run.power[-1]["BAT2"] == pytest.approx(2, abs=0.011)


def test_device_goes_over_project_over_event(tmp_path: Path) -> None:
    event = '\n[[events]]\nid = "dr"\nprojects = ["HOME"]\nafter_s = 1\nduration_s = 60\n'
    run = Run(tmp_path, more="contract_threshold = 1.0", end=event)
    run.ticks(2)
    gives = [power["BAT"] + power["BAT2"] for power in run.power]
    assert gives[0] == 0
    assert gives[1] < 0  # the sun alone does more than is asked
    run.ask(BAT, "set_power", -1, duration_s=4)
    run.ask(HOME, "set_power", -3, duration_s=2)
    run.ticks(4)
    gives = [power["BAT"] + power["BAT2"] for power in run.power]
    np.testing.assert_allclose(gives[2:], [gives[1], -3, -3, *gives[1:2] * 3], atol=0.03)
    assert run.output("BAT")[2:6] == [-1] * 4
    assert run.output("BAT")[6] == pytest.approx(run.output("BAT")[1], abs=0.03)


def test_no_more_wait_than_there_is_room_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MAX_WAITING", 2)
    later = "2026-07-01T13:00:00Z"
    run.tick(*(request(BAT, "set_power", n, start=later) for n in range(3)))
    assert [one.status for one in run.told] == ["accepted", "accepted", "rejected"]
    assert "too many commands are waiting" in run.told[-1].reason


def test_a_checkpoint_in_the_middle_of_commands_goes_on_alike(tmp_path: Path) -> None:
    run = Run(tmp_path, losses="siemens_junelight")
    run.tick(
        request(BAT, "set_power", -4, ramp_s=8, duration_s=15),
        request(BAT2, "target_soc", 50.2),
        request(HOME, "limit_export", 1, start="2026-07-01T12:00:10Z", duration_s=3),
        request(PV, "limit_power", 10, ramp_s=20, duration_s=12),
    )
    run.ticks(5)
    other = run.resumed()
    run.ticks(30)
    other.ticks(30)
    assert other.power == run.power
    assert other.told == run.told
    assert sorted(one.status for one in run.told) == ["accepted"] * 4 + ["completed"] * 4


def test_without_commands_nothing_is_asked(run: Run) -> None:
    outcome = run.tick()
    assert (outcome.instructions, outcome.acknowledgements) == ((), ())


def test_bytes_of_any_kind_disturb_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.tick()
    keys = st.sampled_from(["id", "command", "value", "unit", "start", "duration_s", "ramp_s", "x"])
    odd = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    values = odd | st.sampled_from(["set_power", "target_soc", "%", "2026-07-01T12:00:00Z"])
    tables = st.dictionaries(keys, values).map(lambda table: json.dumps(table).encode())

    @settings(max_examples=100, deadline=None)
    @given(
        payload=st.binary(max_size=200) | tables,
        target=st.sampled_from([BAT, PV, HOME, ROOF, Target("", ""), Target("X", "\0")]),
    )
    def feed(payload: bytes, target: Target) -> None:
        fed = run.resumed()
        told = fed.tick(read_instruction(payload, target)).acknowledgements
        assert len(told) >= 1
        assert told[0].status in ("accepted", "rejected")
        assert (told[0].reason == "") == (told[0].status == "accepted")
        assert told[0].reason.isascii()
        if told[0].status == "rejected":
            other = run.resumed()
            other.tick()
            fed.tick()
            other.tick()
            assert fed.power == other.power

    feed()


def test_a_ghost_obeys_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, end='[[faults]]\ntype = "ghost"\nders = ["PV2"]\n')
    ghost = Target("ROOF", "PV2")
    limit = b'{"id": "c", "command": "limit_power", "value": 0}'
    assert run.refused(ghost, limit) == "the DER does not answer"
    assert run.refused(ROOF, limit) == "ROOF has no DER that answers"


def test_one_target_has_a_part_of_the_commands_that_wait(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_WAITING_EACH", 2)
    run.tick(*(request(BAT, "set_power", n, start="2199-01-01T00:00:00Z") for n in range(3)))
    assert [one.status for one in run.told] == ["accepted", "accepted", "rejected"]
    assert run.told[-1].reason == (
        "2 commands to HOME/BAT wait for their start, the most allowed: send this one later"
    )
    # Another target has room, and what begins at once needs none.
    run.tick(request(HOME, "set_power", 1, start="2199-01-01T00:00:00Z"))
    assert run.told[-1].status == "accepted"
    run.tick(request(BAT, "set_power", 3))
    assert run.told[-1].status == "accepted"
