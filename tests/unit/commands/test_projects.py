"""Commands to a project, and to the charge of its storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.commands.stepped import BAT, BAT2, HOME, PV, ROOF, Run, request


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


def test_the_ramp_of_a_projects_limit_starts_at_its_present_power(run: Run) -> None:
    run.ask(PV, "disconnect")
    run.ask(HOME, "limit_import", 0.5, ramp_s=10)
    run.ticks(11)
    net = [2.0 - sum(power[der] for der in ("BAT", "BAT2", "PV")) for power in run.power]
    # Each tick has the limit of its middle.
    ramp = 2.0 - 0.15 * (np.arange(10) + 0.5)
    np.testing.assert_allclose(net[1:], [*ramp, 0.5, 0.5], atol=0.011)


def test_a_project_without_a_managed_der_takes_no_power(run: Run) -> None:
    run.ask(ROOF, "set_power", 1)
    assert [(one.status, one.reason) for one in run.told] == [
        (
            "rejected",
            "ROOF has no managed DER whose power can be set: send the command to a DER",
        )
    ]


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
