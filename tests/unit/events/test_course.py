"""The course of events: ramps, targets, chance, order, and the end of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.contracts.results import Settlement
from gridsim.running.engine import Engine
from tests.fixtures.resumed import resumed
from tests.unit.events.homes import FLAT, Run, Told, event, home, made, net

START_MS = 1_782_936_000_000  # 2026-07-01T20:00:00Z


def test_the_reduction_goes_there_in_a_straight_line_and_stays(run: Run) -> None:
    battery = 'strategy = "idle"'
    asked = event(ramp_s=300, compliance=1.25)
    told = run(home("A", battery=battery, load=FLAT) + asked, ticks=300)
    reduced = 3.0 - net(told)
    ramp = np.minimum(np.arange(240) / 60, 1.0) * 2.5
    np.testing.assert_allclose(reduced[:12], 0.0, atol=0.005)
    np.testing.assert_allclose(reduced[12:252], np.ceil(ramp * 100 - 1e-6) / 100, atol=1e-9)
    np.testing.assert_allclose(reduced[252:], 0.0, atol=0.005)
    [own] = told.settlements
    assert own.target_kw == 2.0
    assert own.dispatched_kwh == pytest.approx(ramp.sum() * 5 / 3600)


def test_the_ramp_starts_from_what_was_reduced_before(run: Run) -> None:
    """A battery in self-consumption has reduced the load of 3 kW to nothing."""
    told = run(home("A", load=FLAT) + event(ramp_s=300, compliance=0.5), ticks=200)
    ramp = 3.0 - 2.0 * np.clip((np.arange(80) - 12) / 60, 0, 1)
    np.testing.assert_allclose(3.0 - net(told)[:80], np.ceil(ramp * 100 - 1e-6) / 100, atol=1e-9)


def test_a_target_of_its_own_comes_before_the_contract(run: Run) -> None:
    told = run(home("A", load=FLAT) + event(target_kw=4.5), ticks=30)
    assert net(told)[20] == pytest.approx(-1.5)


def test_an_event_is_announced_begins_and_ends(run: Run) -> None:
    homes = home("A") + home("B") + home("C", threshold=1.0)
    told = run(homes + event(after_s=120, notice_s=60, compliance=1.2), ticks=300)
    (announced, first), (began, second), (ended, third) = told.notes
    assert (announced, began, ended) == (12, 24, 264)
    assert first == (
        "event peak: announced for 2026-07-01 17:02:00-03:00, 1 min ahead, to 3 projects"
    )
    assert second == "event peak: begins, 20 min, 3 projects, target 5.00 kW"
    assert third == "event peak: ended, 2.00 of 1.67 kWh delivered by 3 projects, 0 in violation"
    assert {own.notice_ms for own in told.settlements} == {START_MS + 60_000}


def test_chance_is_each_projects_own(run: Run) -> None:
    homes = home("H{n:03}", load=FLAT).replace("\ncontract", "\ncount = 120\ncontract", 1)
    homes = homes.replace("H{n:03}_BAT", "{project_id}_BAT")
    asked = event(
        projects='["H*"]',
        randomize_start_s=300,
        opt_out=0.3,
        compliance="{ uniform = [0.5, 1.5] }",
        target_kw="{ uniform = [1.0, 2.0] }",
    )
    plain, told = run(homes, ticks=320), run(homes + asked, ticks=320)
    assert len(told.settlements) == 120
    start = np.array([own.start_ms for own in told.settlements]) - START_MS - 60_000
    assert start.min() >= 0
    assert start.max() <= 300_000
    assert np.ptp(start) > 250_000
    assert all(own.end_ms - own.start_ms == 1_200_000 for own in told.settlements)
    places = {f"H{n:03}": n - 1 for n in range(1, 121)}
    out = [places[own.project_id] for own in told.settlements if own.ending == "opted out"]
    assert 20 < len(out) < 55
    output, before = told.column("current_output"), plain.column("current_output")
    np.testing.assert_array_equal(output[:, out], before[:, out])
    stays = np.delete(np.arange(120), out)
    assert (output[:, stays] != before[:, stays]).any(axis=0).all()
    assert len({own.compliance for own in told.settlements}) == 120
    assert len({own.target_kw for own in told.settlements}) == 120
    [begins] = [note for _, note in told.notes if "begins" in note]
    assert f"{len(out)} opted out" in begins

    fewer = run(homes.replace("count = 120", "count = 7") + asked, ticks=320)
    np.testing.assert_array_equal(fewer.column("current_output"), output[:, :7])
    assert [o for o in told.settlements if places[o.project_id] < 7] == fewer.settlements


def test_a_later_event_supersedes_and_the_first_does_not_come_back(run: Run) -> None:
    asked = event("first", compliance=1.2) + event("second", after_s=600, duration_s=300)
    told = run(
        home("A", load=FLAT)
        + home("B", load=FLAT)
        + asked.replace('"second"', '"second"\nprojects = ["A"]'),
        ticks=300,
    )
    by = {(own.event, own.project_id): own for own in told.settlements}
    first, second = by["first", "A"], by["second", "A"]
    assert (first.ending, second.ending) == ("superseded", "completed")
    assert first.end_ms == second.start_ms == START_MS + 600_000
    assert by["first", "B"].ending == "completed"
    assert first.delivered_kwh == pytest.approx(2.4 * 540 / 3600)
    output = told.column("current_output")
    assert output[130, 0] == 2.0
    assert output[200, 0] == output[5, 0] == 3.0  # its own strategy again
    assert output[200, 1] == 2.4
    assert told.notes[-1][1].endswith("2 projects, 0 in violation, 1 superseded")


@pytest.mark.parametrize("notice_s", [0, 600])
def test_of_two_that_begin_within_a_tick_the_later_counts(run: Run, notice_s: int) -> None:
    late = event("late", after_s=64, compliance=1.2, notice_s=notice_s)
    for asked in (late + event("early", after_s=61), event("early", after_s=61) + late):
        told = run(home("A", load=FLAT) + asked)
        by = {own.event: own for own in told.settlements}
        assert (by["early"].ending, by["late"].ending) == ("superseded", "completed")
        assert by["early"].end_ms == by["late"].start_ms == START_MS + 64_000
        assert by["early"].delivered_kwh == 0.0
        assert told.column("current_output")[100, 0] == 2.4


def test_who_opts_out_of_a_later_event_stays_in_the_first(run: Run) -> None:
    asked = event("first", compliance=1.2) + event("second", after_s=600, opt_out=1.0)
    told = run(home("A", load=FLAT) + asked, ticks=400)
    assert [(own.event, own.ending) for own in told.settlements] == [
        ("first", "completed"),
        ("second", "opted out"),
    ]


def test_a_cancelled_event_is_settled_until_then(run: Run) -> None:
    """At 17:10:03, between two ticks, after 543 of 1,200 s; 109 readings are before it."""
    homes = home("A", load=FLAT, battery='strategy = "idle"')
    asked = event(notice_s=30, cancel_after_s=573, compliance=1.2)
    told = run(homes + asked, ticks=300)
    [own] = told.settlements
    assert (own.ending, own.start_ms, own.end_ms) == (
        "cancelled",
        START_MS + 60_000,
        START_MS + 603_000,
    )
    assert own.delivered_kwh == pytest.approx(2.4 * 109 * 5 / 3600)
    reduced = 3.0 - net(told)
    assert (reduced[120], reduced[121]) == (pytest.approx(2.4), pytest.approx(0.0))
    assert [tick for tick, _ in told.notes] == [6, 12, 121]
    assert told.notes[-1][1].endswith(
        "cancelled, 0.36 of 0.30 kWh delivered by 1 project, 0 in violation, 1 cancelled"
    )


def test_an_event_is_cancelled_before_it_begins_and_the_next_one_too(run: Run) -> None:
    homes = home("A", load=FLAT, battery='strategy = "idle"')
    asked = event(after_s=None, cron='"*/10 * * * *"', notice_s=120, cancel_after_s=60)
    told = run(homes + asked, ticks=300)
    assert told.settlements == []
    assert [(tick, text.partition(" for ")[0]) for tick, text in told.notes] == [
        (0, "event peak: announced"),
        (0, "event peak: cancelled before it began, 1 project"),
        (96, "event peak#2: announced"),
        (108, "event peak#2: cancelled before it began, 1 project"),
        (216, "event peak#3: announced"),
        (228, "event peak#3: cancelled before it began, 1 project"),
    ]
    np.testing.assert_allclose(net(told), 3.0)


def test_projects_that_begin_later_than_the_cancellation_take_no_part(run: Run) -> None:
    homes = home("H{n}", load=FLAT).replace("\ncontract", "\ncount = 40\ncontract", 1)
    homes = homes.replace("H{n}_BAT", "{project_id}_BAT")
    asked = event(randomize_start_s=600, cancel_after_s=300)
    told = run(homes + asked, ticks=320)
    starts = np.array([own.start_ms for own in told.settlements]) - START_MS
    assert 10 < len(starts) < 30
    assert starts.max() < 360_000
    assert {(own.ending, own.end_ms) for own in told.settlements} == {
        ("cancelled", START_MS + 360_000)
    }


def test_the_end_of_a_run_cuts_off_what_still_runs(run: Run) -> None:
    asked = event() + event("later", after_s=3600, notice_s=3600)
    told = run(home("A", load=FLAT) + asked, ticks=100, finish=True)
    [own] = told.settlements
    assert (own.event, own.ending) == ("peak", "interrupted")
    assert own.end_ms == START_MS + 500_000
    assert own.delivered_kwh == pytest.approx(2.0 * 440 / 3600)
    [change] = told.changes[-1]
    assert (change.event, change.kind, change.time_ms) == ("peak", "cut off", START_MS + 500_000)
    assert told.notes[-1][1].startswith("event peak: cut off, ")
    assert len(told.batches[-1]) == 0


def test_an_event_that_ends_with_the_run_is_complete(run: Run) -> None:
    told = run(home("A", load=FLAT) + event(duration_s=440), ticks=100, finish=True)
    assert [own.ending for own in told.settlements] == ["completed"]


def test_standalone_projects_are_never_dispatched(run: Run) -> None:
    alone = home("LONE", threshold=0).replace("load =", "standalone = true\nload =")
    plain, told = run(home("A") + alone), run(home("A") + alone + event(compliance=1.3))
    output, before = told.column("current_output"), plain.column("current_output")
    np.testing.assert_array_equal(output[:, 1], before[:, 1])
    assert (output[:, 0] != before[:, 0]).any()
    assert [own.project_id for own in told.settlements] == ["A"]


def test_another_project_changes_nothing_of_the_first(run: Run) -> None:
    """Not in an event, and not beside one."""
    asked = event(projects='["A"]', compliance=0.9) + event("cap", import_limit_kw=2.0).replace(
        "after_s", 'projects = ["B"]\nafter_s'
    )
    mixed = (
        home("B", battery='strategy = "idle"')
        + """
[[projects.ders]]
id = "B_PV"
type = "solar"
managed = true
nameplate_capacity = 6.0
"""
    )
    alone = run(home("A") + event(projects='["A"]', compliance=0.9))
    both = run(home("A") + mixed + asked)
    beside = run(home("A") + mixed)
    np.testing.assert_array_equal(
        both.column("current_output")[:, 0], alone.column("current_output")[:, 0]
    )
    plain = run(home("A"))
    np.testing.assert_array_equal(
        beside.column("current_output")[:, 0], plain.column("current_output")[:, 0]
    )
    assert both.settlements[0] == alone.settlements[0]


def test_a_checkpoint_in_the_middle_of_an_event_goes_on_alike(tmp_path: Path) -> None:
    """Also one between the notice and the start, of an event by cron."""
    asked = event(ramp_s=200, compliance=0.9, randomize_start_s=60, opt_out=0.2) + event(
        "daily", after_s=None, cron='"8 17 * * *"', notice_s=600, duration_s=200
    )
    text = home("A") + home("B") + home("C") + asked
    simulation = made(tmp_path, text)
    for _ in range(60):
        simulation.advance()
    copy = resumed(simulation, made(tmp_path, text))
    ends = 0
    for _ in range(240):
        one, other = simulation.advance(), copy.advance()
        assert one.settlements == other.settlements
        assert one.changes == other.changes
        np.testing.assert_array_equal(one.batch.current_output, other.batch.current_output)
        ends += len(one.settlements)
    assert ends == 6


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_cron_goes_by_simulated_time_at_every_speed(tmp_path: Path, speed: float) -> None:
    """Half past the hour of the site, 17:30 in Moncton: 20:30 UTC."""
    asked = event(after_s=None, cron='"*/30 17 * * *"', compliance=1.2, duration_s=300)

    def at(speed: float) -> tuple[list[Settlement], list[list[float]]]:
        told, now = Told(), [50.0]
        engine = Engine(
            made(tmp_path, home("A") + asked),
            told.take,
            tick_s=5.0,
            speed=speed,
            ticks=440,
            monotonic=lambda: now[0],
        )
        if not speed:
            engine.run_free()
        while not engine.finished.is_set():
            engine.run_due()
            now[0] += 1.7 * engine.wake_s
        assert engine.error is None
        return told.settlements, told.column("current_output").tolist()

    settlements, output = at(0.0)
    assert [own.event for own in settlements] == ["peak", "peak#2"]
    assert [own.start_ms - START_MS for own in settlements] == [0, 1_800_000]
    assert at(speed) == (settlements, output)
