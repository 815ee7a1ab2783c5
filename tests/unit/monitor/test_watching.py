"""Devices that are watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    DISABLED,
)
from gridsim.running.plan import Options, make_plan
from tests.unit.monitor.stepped import BASE, FAULTS, Stepped, device


def test_a_watched_device_has_true_and_reported_columns(make: Any) -> None:
    run = make(FAULTS)
    assert len(run.monitor.watch("HOME_3_PV").time_ms) == 0
    late = run.monitor.watch("HOME_2_PV")
    run.step(7)
    cable, late = run.monitor.watch("HOME_3_PV"), run.monitor.watch("HOME_2_PV")
    assert cable.time_ms.tolist() == [run.scenario.start_ms + 60_000 * n for n in range(7)]
    assert cable.faults.tolist() == [False, False, True, True, False, False, False]
    assert late.faults.tolist() == [False, False, False, True, False, False, False]
    for view, der_id in ((cable, "HOME_3_PV"), (late, "HOME_2_PV")):
        true = [round(float(r.truth.output_kw[device(run, der_id)]), 2) for r in run.results]
        np.testing.assert_allclose(view.true["current_output"], true, atol=1e-9)
        assert np.isnan(view.true["current_soc"]).all()
    reported = {}
    for result in run.results:
        batch = result.batch
        for row in np.flatnonzero(batch.device == device(run, "HOME_3_PV")).tolist():
            reported[int(batch.tick[row])] = float(batch.current_output[row])
    column = [reported.get(tick, np.nan) for tick in range(7)]
    np.testing.assert_array_equal(cable.reported["current_output"], column)
    # The late reading is in its own place.
    assert late.reported["current_output"].tolist() == late.true["current_output"].tolist()
    assert cable.settings["nameplate_capacity"] == 5.0
    assert (cable.type, cable.project_id, cable.messages) == ("solar", "HOME_3", ())


def test_a_reading_that_is_held_back_counts_as_faulty(make: Any) -> None:
    run = make(FAULTS)
    run.monitor.watch("HOME_2_PV")
    run.step(4)
    view = run.monitor.watch("HOME_2_PV")
    assert view.faults.tolist() == [False, False, False, True]
    assert np.isnan(view.reported["current_output"][-1])


@pytest.mark.parametrize(
    "reporting",
    ["report_every_s = 180", "report_every_s = 180\nreport_on_change = { current_soc = 1.0 }"],
)
def test_a_device_that_reports_seldom_has_a_point_per_reading(make: Any, reporting: str) -> None:
    base = BASE.replace(
        'type = "solar"\nnameplate_capacity = 5.0',
        f'type = "solar"\nnameplate_capacity = 5.0\n{reporting}',
    )
    run = make(base=base)
    run.monitor.watch("HOME_1_PV")
    run.step(9)
    view = run.monitor.watch("HOME_1_PV")
    own = device(run, "HOME_1_PV")
    times = [r.batch.timestamp_ms[r.batch.device == own].tolist() for r in run.results]
    assert [[time] for time in view.time_ms.tolist()] == [time for time in times if time]
    assert len(view.time_ms) == 3
    assert not view.faults.any()
    np.testing.assert_array_equal(view.true["current_output"], view.reported["current_output"])


def test_900_readings_of_a_watched_device_are_kept(make: Any) -> None:
    run = make(tick_s=1.0)
    run.monitor.watch("HOME_1_PV")
    run.step(901)
    view = run.monitor.watch("HOME_1_PV")
    assert len(view.time_ms) == 900
    assert view.time_ms[0] == run.scenario.start_ms + 1000
    assert view.time_ms[-1] == run.scenario.start_ms + 900_000


@pytest.mark.parametrize("der_id", ["HOME_1_PV", "HOME_2_PV", "HOME_3_PV", "HOME_1_BAT"])
def test_earlier_readings_of_a_device_come_from_the_ledger(tmp_path: Path, der_id: str) -> None:
    base = BASE.replace("TICK", "60").replace("generator", "battery").replace("_GEN", "_BAT")
    base = base.replace(
        'type = "solar"\nnameplate_capacity = 5.0',
        'type = "solar"\nnameplate_capacity = 5.0\nreport_every_s = 120',
    )
    path = tmp_path / "c.toml"
    flip = '[[faults]]\ntype = "sign_flip"\nid = "flip"\nafter_s = 600\nduration_s = 180\n'
    # Meters have errors, which are not faults.
    base = f'[site]\nmeter_class = "1"\n{base}'
    path.write_text(f'{base}{FAULTS}{flip}[ledger]\npath = "{tmp_path.as_posix()}/l.sqlite"\n')
    plan = make_plan(Options(config=path))
    assert plan.ledger is not None
    ledger = plan.ledger.open()
    scenario = plan.configuration.scenario
    early, late = Stepped(scenario), Stepped(scenario, ledger=ledger.path)
    early.monitor.watch(der_id)
    for _ in range(20):
        early.step(1)
        ledger.record(early.results[-1])
        late.take(early.results[-1])
    ledger.close(complete=True, timeout_s=30.0)
    found = late.monitor.watch(der_id)
    for ticks in (0, 3):
        early.step(ticks)
        for result in early.results[len(late.results) :]:
            late.take(result)
        known, found = early.monitor.watch(der_id), late.monitor.watch(der_id)
        assert len(known.time_ms) >= 6
        np.testing.assert_array_equal(found.time_ms, known.time_ms)
        np.testing.assert_array_equal(found.faults, known.faults)
        assert found.faults.any()
        assert not found.faults.all()
        for name in ("current_output", "power_meter_measurement", "current_soc"):
            np.testing.assert_allclose(found.true[name], known.true[name], atol=1e-9)
            np.testing.assert_allclose(found.reported[name], known.reported[name], atol=1e-9)


def test_twenty_devices_are_watched_and_released_after_thirty_seconds(make: Any) -> None:
    run = make(base=BASE.replace("count = 3", "count = 11"))
    ids = list(run.scenario.roster.der_id)[:21]
    for der_id in ids[:20]:
        run.monitor.watch(der_id)
    with pytest.raises(ValueError, match="20 devices are watched already"):
        run.monitor.watch(ids[20])
    with pytest.raises(KeyError):
        run.monitor.watch("NO_SUCH")
    run.step(1)
    run.now = 30.0
    assert len(run.monitor.watch(ids[0]).time_ms) == 1
    run.now = 30.001
    run.step(1)
    assert len(run.monitor.watch(ids[20]).time_ms) == 0
    assert len(run.monitor.watch(ids[0]).time_ms) == 2
    assert len(run.monitor.watch(ids[1]).time_ms) == 0


def test_a_disabled_fleet_is_marked(make: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from gridsim.api import Device, hookimpl\n"
        "class Bad(Device):\n"
        "    def step(self, tick):\n"
        "        return 1.0 if tick.index < 2 else 1 / 0\n"
        "@hookimpl\n"
        "def gridsim_register(register):\n"
        "    register.der('bad', Bad)\n"
    )
    base = BASE.replace('type = "solar"', 'type = "bad"').replace(
        "tick_s = TICK", 'tick_s = TICK\non_error = "skip_fleet"\nplugins = ["bad.py"]'
    )
    run = make(base=base)
    run.monitor.watch("HOME_1_PV")
    run.step(4)
    one = run.monitor.snapshot()
    assert (one.devices.state & DISABLED > 0).tolist() == [False, True] * 3
    assert one.online == 3
    [entry] = one.entries
    assert (entry.kind, entry.state, entry.subject) == ("failure", "disabled", "bad")
    assert entry.text.endswith("; 3 DERs disabled")
    assert len(run.monitor.watch("HOME_1_PV").time_ms) == 2
