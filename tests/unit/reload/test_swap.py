"""A simulation that goes on with another scenario: who stays keeps state and values."""

from __future__ import annotations

import pytest

from gridsim.api import StateError
from gridsim.contracts.results import Reloaded, TickResult
from gridsim.simulation.reload.swap import swap
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, Bench
from tests.fixtures.same import assert_same_result
from tests.unit.reload.homes import (
    AT,
    EVENT,
    FAULTS,
    HOMES,
    OTHER,
    PLAIN,
    REST,
    course,
    readings,
    reload_of,
)

WITH_OTHER = HEAD + OTHER + HOMES + REST
"""The other project comes first, so that every index changes."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("reload"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> Scenario:
    return bench.plan(PLAIN)[0]


@pytest.fixture(scope="module")
def whole(plain: Scenario) -> list[TickResult]:
    """The undisturbed run."""
    return course(plain)


def test_a_reload_of_the_same_configuration_changes_no_byte(
    bench: Bench, plain: Scenario, whole: list[TickResult]
) -> None:
    results = course(plain, bench.plan(PLAIN)[0])
    reload = reload_of(results)
    results.remove(reload)
    for one, other in zip(results, whole, strict=True):
        assert_same_result(one, other)
    assert reload.reload is not None
    assert (reload.reload.added, reload.reload.removed, reload.reload.changed) == ((), (), ())
    assert reload.tick == reload.reload.tick == AT


def test_devices_have_the_same_values_beside_a_project_that_comes(
    bench: Bench, plain: Scenario, whole: list[TickResult]
) -> None:
    results = course(plain, bench.plan(WITH_OTHER)[0])
    stay = plain.roster.der_id
    assert readings(results, stay) == readings(whole, stay)
    reload = reload_of(results).reload
    assert reload is not None
    assert reload.projects_added == ("NEW",)
    assert reload.added == tuple(f"NEW_{kind}" for kind in ("BAT", "PV", "EV", "HP", "WT", "GEN"))
    new = readings(results, reload.added)
    # The fault may delay the first of them.
    assert AT <= min(tick for tick, *_ in new) < AT + 3
    told = [one for result in results for one in result.acknowledgements]
    assert told == [one for result in whole for one in result.acknowledgements]


def test_devices_have_the_same_values_beside_a_project_that_goes(
    bench: Bench, plain: Scenario
) -> None:
    both = bench.plan(WITH_OTHER)[0]
    undisturbed, results = course(both), course(both, plain)
    stay = plain.roster.der_id
    assert readings(results, stay) == readings(undisturbed, stay)
    gone = reload_of(results)
    assert gone.reload is not None
    assert gone.reload.projects_removed == ("NEW",)
    assert [(one.project_id, one.ending) for one in gone.settlements] == [("NEW", "cancelled")]
    assert {one.der_id for one in gone.episodes if one.fault_id == "offline"} == {"NEW_PV"}
    assert gone.unsent is not None, "its stored readings are never sent"
    assert {gone.unsent.roster.der_id[row] for row in gone.unsent.device.tolist()} <= set(
        gone.reload.removed
    )


def test_a_device_with_another_setting_starts_anew_and_the_others_go_on(
    bench: Bench, plain: Scenario, whole: list[TickResult]
) -> None:
    text = PLAIN.replace("energy_capacity_kwh = 10.0", "energy_capacity_kwh = 5.0")
    results = course(plain, bench.plan(text)[0])
    gone = reload_of(results)
    assert gone.reload is not None
    assert gone.reload.changed == ("HOME_1_BAT", "HOME_2_BAT")
    # Their commands end, with a reason.
    assert {(one.id, one.status) for one in gone.acknowledgements} == {
        ("a", "cancelled"),
        ("b", "cancelled"),
    }
    turbines = [
        [row[3] for _, _, row, _ in readings(one, ["HOME_1_WT", "HOME_2_WT"])]
        for one in (results, whole)
    ]
    assert turbines[0] == turbines[1]


def test_faults_come_and_go_and_keep_their_numbers(bench: Bench, plain: Scenario) -> None:
    spike = '[[faults]]\ntype = "spike"\nid = "new"\nders = ["HOME_1_GEN"]\n'
    kept = FAULTS[FAULTS.index('[[faults]]\ntype = "frozen_meter"') :]
    results = course(plain, bench.plan(HEAD + HOMES + EVENT + spike + kept)[0])
    gone = reload_of(results)
    (new,) = gone.injected
    assert (new.id, new.fault) == ("new", 3), "the indices of three faults were used"
    assert new.number not in (1, 2), "those of the faults that stay"
    assert {one.fault_id for one in gone.episodes} == {"offline"}
    late = [one for one in results if one.tick == AT and one.reload is None]
    sent = late[0].batch
    assert (sent.tick < AT).any(), "the arrays are back, and send what they stored"


def test_events_come_and_go(bench: Bench, plain: Scenario) -> None:
    later = EVENT.replace("evening", "later").replace("after_s = 150", "after_s = 400")
    missed = EVENT.replace("evening", "missed").replace("after_s = 150", "after_s = 100")
    results = course(plain, bench.plan(HEAD + HOMES + later + missed + FAULTS)[0])
    gone = reload_of(results)
    assert [(one.event, one.kind) for one in gone.changes] == [("evening", "cancelled")]
    assert {one.ending for one in gone.settlements} == {"cancelled"}
    after = [change for one in results if one.tick >= AT for change in one.changes]
    assert [(one.event, one.kind) for one in after[1:]] == [
        ("later", "announced"),
        ("later", "begins"),
    ], "one whose start is past does not take place"


def test_a_state_that_cannot_be_kept_refuses_the_reload(plain: Scenario) -> None:
    """Nothing is changed then: the simulation goes on."""
    simulation = Simulation(plain)
    simulation.step()
    fleet = simulation.course.fleets.running[0].fleet
    fleet.state = lambda: (_ for _ in ()).throw(StateError("cannot be kept"))  # type: ignore[method-assign]
    with pytest.raises(StateError, match="cannot be kept"):
        swap(simulation, Simulation(plain), Reloaded("digest"))
    assert len(simulation.advance().batch)
