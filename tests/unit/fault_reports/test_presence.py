"""Faults that drop, delay, repeat or add readings, and those that break messages."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.fixtures.runs import BATTERY, HEAD, HOME, HOMES, Bench, Record
from tests.unit.fault_reports.records import (
    BAT,
    PV,
    TICKS,
    WINDOW,
    differing,
    fault,
    power,
    seconds,
    undisturbed,
)


def test_readings_of_an_outage_are_lost_and_the_connection_is_new(bench: Bench) -> None:
    good = undisturbed().by_tick(PV)
    done = bench.run(HEAD + HOMES + fault('type = "offline"\n' + WINDOW), TICKS)
    bad = done.by_tick(PV)
    assert bad[:10] == good[:10]
    assert not any(bad[10:30])
    began = bad[30][0]["timestamp"]
    assert began == good[30][0]["timestamp"]
    for good_one, bad_one in zip(good[30:TICKS], bad[30:TICKS], strict=True):
        assert bad_one[0] == {**good_one[0], "connection_start_at": began}
    assert sum(len(unsent) for unsent in done.unsent) == 2 * 20


def test_stored_readings_come_late_oldest_first_and_no_more_than_there_is_room(
    bench: Bench,
) -> None:
    good = undisturbed().by_tick(PV)
    text = fault('type = "offline"\nreadings = "stored"\nroom = 15\n' + WINDOW)
    done = bench.run(HEAD + HOMES + text, TICKS)
    bad = done.by_tick(PV)
    assert not any(bad[10:30])
    assert bad[30][:-1] == [good[tick][0] for tick in range(10, 25)]
    assert bad[30][-1]["timestamp"] == good[30][0]["timestamp"]
    assert [len(tick) for tick in bad[31:TICKS]] == [1] * (TICKS - 31)
    # All of both devices' stores leave before what is new.
    ticks = done.outcomes[30].batch.tick.tolist()
    assert ticks == [tick for tick in range(10, 25) for _ in range(2)] + [30] * 6
    assert sum(len(unsent) for unsent in done.unsent) == 2 * 5


def test_a_gateway_repeats_the_last_values_of_who_is_offline(bench: Bench) -> None:
    pairs = differing(bench, fault('type = "offline"\nreadings = "flagged"\n' + WINDOW), PV)
    held = ("current_output", "power_meter_measurement", "current_soc")
    for tick, (good, bad) in enumerate(pairs):
        assert bad["timestamp"] == good["timestamp"]
        assert bad["is_online"] is not (10 <= tick < 30)
        if 10 <= tick < 30:
            assert [bad[name] for name in held] == [pairs[10][0][name] for name in held]
        else:
            assert [bad[name] for name in held] == [good[name] for name in held]
    assert pairs[29][1]["connection_start_at"] == pairs[0][0]["connection_start_at"]
    assert pairs[30][1]["connection_start_at"] == pairs[30][1]["timestamp"]


def test_a_device_that_reports_seldom_stores_only_what_it_would_have_sent(bench: Bench) -> None:
    seldom = HOMES.replace('type = "solar"', 'type = "solar"\nreport_every_s = 50')
    good = bench.run(HEAD + seldom, TICKS)
    text = fault('type = "offline"\nreadings = "stored"\n' + WINDOW, ders=PV)
    bad = bench.run(HEAD + seldom + text, TICKS)
    assert len(good.records(PV)) == TICKS // 5

    def values(records: list[Record]) -> list[tuple[Any, ...]]:
        return [(one["timestamp"], one["current_output"]) for one in records]

    assert values(bad.records(PV)) == values(good.records(PV))
    assert not any(bad.by_tick(PV)[10:30])


def test_a_ghost_reports_while_it_shows_itself_and_its_site_does_not_feel_it(
    bench: Bench,
) -> None:
    without = bench.run(HEAD + HOME + BATTERY, TICKS)
    good = undisturbed()
    bad = bench.run(HEAD + HOMES + fault('type = "ghost"\n' + WINDOW, ders=PV), TICKS)
    seen = [[power(one) for one in tick] for tick in bad.by_tick(PV)]
    assert seen[:10] == [[]] * 10
    assert seen[30:] == [[]] * (TICKS + 1 - 30)
    assert seen[10:30] == [[power(tick[0])] for tick in good.by_tick(PV)[10:30]]
    assert bad.by_tick(PV)[10][0]["connection_start_at"] == bad.by_tick(PV)[10][0]["timestamp"]
    # The site's battery does what it does where there is no such array.
    assert bad.records(BAT) == without.records(BAT)
    assert bad.records(BAT) != good.records(BAT)
    assert bad.records("HOME_1_BAT") == good.records("HOME_1_BAT")
    for batch in bad.batches:
        labels = batch.labels
        assert labels is None or np.isnan(labels.current_output).sum() == sum(
            bad.roster.der_id[device] == PV for device in batch.device
        )


def test_an_event_does_not_count_on_a_ghost(bench: Bench) -> None:
    event = """
[[events]]
id = "call"
projects = ["HOME_2"]
after_s = 50
duration_s = 400
target_kw = 3.0
"""
    without = bench.run(HEAD + HOME + BATTERY + event, TICKS)
    haunted = bench.run(
        HEAD
        + HOME
        + BATTERY
        + BATTERY.replace("_BAT", "_GHOST")
        + event
        + fault('type = "ghost"', ders="*_GHOST"),
        TICKS,
    )
    settled = [one for outcome in haunted.outcomes for one in outcome.settlements]
    assert settled == [one for outcome in without.outcomes for one in outcome.settlements]
    assert settled[0].dispatched_kwh > 0.1
    assert haunted.records(BAT) == without.records(BAT)
    assert len(haunted.records("HOME_2_GHOST")) == TICKS


def test_a_dropped_message_is_missing(bench: Bench) -> None:
    done = bench.run(HEAD + HOMES + fault('type = "drop"\nprobability = 0.2'), TICKS)
    assert 25 <= len(done.records(PV)) < TICKS
    assert len(done.records("HOME_1_PV")) == TICKS
    assert sum(len(one) for one in done.unsent) + len(done.payloads) == 6 * TICKS


def test_a_delayed_message_comes_in_the_first_tick_after_its_delay(bench: Bench) -> None:
    text = fault('type = "delay"\ndelay_s = 25\n' + WINDOW, ders=PV)
    good = undisturbed().by_tick(PV)
    bad = bench.run(HEAD + HOMES + text, TICKS)
    by_tick = bad.by_tick(PV)
    for tick in range(TICKS):
        wanted = [good[tick - 3][0]] if 13 <= tick < 33 else []
        wanted += good[tick] if not 10 <= tick < 30 else []
        assert by_tick[tick] == wanted
        assert bad.batches[tick].tick.tolist() == sorted(bad.batches[tick].tick.tolist())


def test_a_repeated_message_is_the_same_and_comes_last(bench: Bench) -> None:
    done = bench.run(HEAD + HOMES + fault('type = "duplicate"\n' + WINDOW, ders=PV), TICKS)
    for tick, bodies in enumerate(done.bodies[:TICKS]):
        assert len(bodies) == 6 + (10 <= tick < 30)
        if 10 <= tick < 30:
            assert bodies[-1] == bodies[2]
            assert json.loads(bodies[-1])["der_id"] == PV


def test_an_overtaken_message_comes_after_the_next(bench: Bench) -> None:
    done = bench.run(HEAD + HOMES + fault('type = "reorder"\n' + WINDOW, ders=PV), TICKS)
    order = [seconds(one) / 10 for one in done.records(PV)]
    swapped = [tick for first in range(10, 30, 2) for tick in (first + 1, first)]
    assert order == [*range(10), *swapped, *range(30, TICKS)]


@pytest.mark.parametrize("type", ["truncate", "malformed"])
def test_broken_messages_cannot_be_read(bench: Bench, type: str) -> None:
    good = undisturbed()
    bad = bench.run(HEAD + HOMES + fault(f'type = "{type}"\n' + WINDOW), TICKS)
    for tick in range(TICKS):
        for row, (one, other) in enumerate(zip(good.bodies[tick], bad.bodies[tick], strict=True)):
            if row in (2, 3) and 10 <= tick < 30:
                with pytest.raises(ValueError):  # noqa: PT011 - of JSON or of UTF-8
                    json.loads(other.decode())
            else:
                assert one == other


def test_a_drifting_schema_leaves_all_else_alone(bench: Bench) -> None:
    good = undisturbed()
    text = fault('type = "schema_drift"\nchange = "renamed"\nrenamed_to = "kw"\n' + WINDOW)
    bad = bench.run(HEAD + HOMES + text, TICKS)
    for tick in range(TICKS):
        for row, (one, other) in enumerate(zip(good.bodies[tick], bad.bodies[tick], strict=True)):
            drifts = row in (2, 3) and 10 <= tick < 30
            assert other == (one.replace(b'"current_output"', b'"kw"') if drifts else one)
