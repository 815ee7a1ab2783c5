"""The contract tests of gridsim, and one of the error."""

from __future__ import annotations

from gridsim.testing import DeviceFaultContract, make_affected, make_members, make_tick

from .newname import NewName


class TestNewName(DeviceFaultContract):
    fault = NewName
    settings = ({}, {"part": 0.0})


def test_it_reports_a_part_of_the_output() -> None:
    tick = make_tick()
    affected = make_affected(
        tick, member=[0], since_ms=tick.time_ms, output=4.0, meter=2.0, soc=50.0
    )
    NewName(make_members(NewName.Settings, [{"part": 25.0}])).inject(tick, affected)
    assert affected.current_output.tolist() == [1.0]
    assert affected.power_meter_measurement.tolist() == [2.0]
