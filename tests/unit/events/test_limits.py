"""Events that limit the export or the import of a project."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.events.homes import FLAT, Run, event, home, net

# Limits ---------------------------------------------------------------------------------------

ROOF = """
[[projects.ders]]
id = "{0}_PV{1}"
type = "solar"
managed = {2}
nameplate_capacity = {3}
"""


def test_an_export_limit_holds_and_batteries_fill_before_the_sun_is_turned_down(run: Run) -> None:
    # A smooth load: a kettle would take all that is left over.
    smooth = '{ type = "household", annual_kwh = 9000, appliances = false }'
    text = home("A", battery='strategy = "idle"', load=smooth)
    text = text.replace("initial_soc = 80", "initial_soc = 94")
    text += ROOF.format("A", 1, "true", 9.0) + ROOF.format("A", 2, "false", 1.5)
    cap = event(duration_s=7200, export_limit_kw=1.0)
    free, told = (run(one, ticks=467, tick_s=15.0) for one in (text, text + cap))
    during = slice(4, 467)
    assert (net(free)[during] < -1.5).mean() > 0.9
    assert net(told)[during].min() >= -1.0 - 0.011
    battery_kw, managed, unmanaged = told.column("current_output")[during].T
    available = free.column("current_output")[during, 1]
    np.testing.assert_array_equal(unmanaged, free.column("current_output")[during, 2])
    curtailed = managed < available - 0.02
    soc = told.column("current_soc")[during, 0]
    # First it charges and the sun stays; then, the fuller it is, the more the sun is turned down.
    assert battery_kw.min() < -3.0
    assert not curtailed[:33].any()
    assert curtailed[-33:].all()
    # Within the last tenth of its capacity a battery charges ever slower.
    able = np.minimum(12.0 * (100.0 - soc) / 10.0, 12.0)
    assert (-battery_kw[curtailed] > able[curtailed] - 0.1).all()
    assert told.settlements == []
    # Where the sun is turned down, it is not by more than is needed.
    np.testing.assert_allclose(net(told)[during][curtailed], -1.0, atol=0.03)


def test_an_import_limit_pauses_a_car(run: Run) -> None:
    text = """
[[projects]]
id = "A"
load = { type = "constant", kw = 2.0 }
[[projects.ders]]
id = "A_EV{n}"
type = "ev_charger"
count = 6
managed = true
nameplate_capacity = 7.2
"""
    cap = event(duration_s=5 * 3600, import_limit_kw=3.0)
    free, told = (run(one, ticks=500, tick_s=30.0) for one in (text, text + cap))
    before, during = net(free)[2:], net(told)[2:]
    assert before.max() > 9.0
    assert during.max() <= 3.0 + 0.01
    output = told.column("current_output")[2:]
    assert ((output == 0.0) & (free.column("current_output")[2:] < -5.0)).any()
    # With a limit alone nothing was promised, and nothing is in violation.
    outcome = run(text + event(duration_s=600, import_limit_kw=3.0), ticks=200)
    assert [(own.target_kw, own.violations) for own in outcome.settlements] == [(0.0, ())]


def test_a_limit_may_stand_beside_a_reduction(run: Run) -> None:
    asked = event(target_kw=8.0, export_limit_kw=2.0)
    told = run(home("A", load=FLAT) + asked, ticks=60)
    assert net(told)[30] == pytest.approx(-2.0)
