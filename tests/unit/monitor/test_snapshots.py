"""Snapshots of a run, and its history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridsim.api import (
    CALLED,
    FAULTY,
)
from gridsim.running.monitor.ring import Ring
from gridsim.running.monitor.totals import Counter

EVENT = """
[[events]]
id = "peak"
start = "2026-06-21T15:05:00Z"
duration_s = 1200
target_kw = 4.0
compliance = 0.5
projects = ["HOME_1", "HOME_2"]
"""


def test_before_the_first_tick_there_is_a_snapshot(make: Any) -> None:
    run = make(EVENT)
    snapshot = run.monitor.snapshot()
    assert (snapshot.tick, snapshot.time_ms) == (-1, run.scenario.start_ms)
    assert snapshot.kw == {"generator": 0.0, "solar": 0.0}
    assert (snapshot.online, snapshot.entries, snapshot.running_events) == (6, (), ())
    assert np.isnan(snapshot.sites.target_kw).all()
    assert snapshot.sites.threshold_kw.tolist() == [3.0] * 3
    assert len(run.monitor.history("15m").time_ms) == 0
    assert np.isnan(run.monitor.project_history(np.arange(3))).all()


def test_a_snapshot_equals_the_readings(make: Any) -> None:
    run = make()
    run.step(3)
    snapshot, batch = run.monitor.snapshot(), run.results[-1].batch
    assert (snapshot.tick, snapshot.time_ms) == (2, int(batch.timestamp_ms[0]))
    assert snapshot.devices.output_kw.tolist() == batch.current_output.tolist()
    solar = [kind == "solar" for kind in batch.roster.type]
    assert snapshot.kw["solar"] == pytest.approx(batch.current_output[solar].sum(), abs=1e-9)
    assert snapshot.load_kw == pytest.approx(7.5)
    assert snapshot.net_kw == pytest.approx(7.5 - batch.current_output.sum())
    first = batch.roster.project[batch.device] == 0
    assert snapshot.sites.output_kw[0] == pytest.approx(batch.current_output[first].sum())
    assert snapshot.sites.baseline_kw[0] == batch.baseline[0]
    assert not snapshot.devices.output_kw.flags.writeable


def test_a_meter_of_a_class_is_not_a_fault(make: Any) -> None:
    """Devices with a fault beside it are faulty, and the counts are those of the fault."""
    flip = '[[faults]]\ntype = "sign_flip"\nders = ["HOME_2_PV"]\nafter_s = 60\n'
    for faults in ("", flip + "duration_s = 60\n"):
        run = make(f'[site]\nmeter_class = "1"\n{faults}')
        run.step(2)
        snapshot = run.monitor.snapshot()
        assert np.count_nonzero(snapshot.devices.state & FAULTY) == bool(faults)
        assert len(snapshot.open_faults) == len(snapshot.entries) == bool(faults)
        tally = run.simulation.tally
        assert (tally and tally.affected) == (1 if faults else None)
        run.step(2)
        ended = [one.fault_id for result in run.results for one in result.episodes]
        ended += [one.fault_id for one in run.simulation.finish().episodes]
        assert ended == (["sign_flip"] if faults else [])
        labels = run.results[0].batch.labels
        assert labels is not None
        assert labels.faults.any()


def test_a_snapshot_is_kept_for_a_quarter_of_a_second(make: Any) -> None:
    run = make()
    run.step()
    assert run.monitor.snapshot().tick == 0
    run.step()
    run.now = 0.2499
    assert run.monitor.snapshot().tick == 0
    run.now = 0.25
    assert run.monitor.snapshot().tick == 1


def test_an_event_is_shown_as_its_settlement_counts_it(make: Any) -> None:
    run = make(EVENT)
    target, delivered, called, violations, violating = [], [], [], [], []
    for _ in range(30):
        run.step()
        one = run.monitor.snapshot(fresh=True)
        target.append(one.target_kw)
        delivered.append(one.delivered_kw)
        called.append((one.devices.state & CALLED > 0).tolist())
        violations.append(one.sites.violations.tolist())
        violating.append(one.sites.in_violation.sum())
        assert one.running_events == (("peak",) if 5 <= one.tick < 25 else ())
    assert target == [0.0] * 5 + [8.0] * 20 + [0.0] * 5
    assert called[4] == [False] * 6
    assert called[5] == called[24] == [True] * 4 + [False] * 2
    settled = [own for result in run.results for own in result.settlements]
    assert sum(delivered) / 60 == pytest.approx(sum(own.delivered_kwh for own in settled))
    assert violations[-1] == [len(own.violations) for own in settled] + [0]
    assert violations[4] == [0, 0, 0]
    last = run.monitor.history("1d")
    assert last.target_kw.tolist() == target
    np.testing.assert_allclose(last.delivered_kw, delivered)
    assert last.violating.tolist() == violating
    texts = [(e.state, e.subject, e.end_ms) for e in run.monitor.snapshot().entries]
    start = run.scenario.start_ms
    assert texts == [("begins", "peak", start + 1500_000), ("ended", "peak", None)]


def test_the_totals_count_each_project_in_violation_once(make: Any) -> None:
    run = make(EVENT)
    run.step(8)
    truth = run.results[-1].truth
    (event,) = truth.events
    none, both = (replace(event, in_violation=np.full(2, broken)) for broken in (False, True))
    one = replace(event, in_violation=np.array([False, True]))
    cases = [(), (none,), (one,), (one, both), (both, none)]
    truths = [replace(truth, events=events) for events in cases]
    assert Counter(run.scenario.roster).totals(truths).violating.tolist() == [0, 0, 1, 2, 2]


def test_the_end_of_a_run_ends_its_events(make: Any) -> None:
    run = make(EVENT)
    run.step(8)
    run.take(run.simulation.finish())
    last = run.monitor.snapshot()
    assert (last.tick, last.target_kw, last.running_events) == (7, 0.0, ())
    assert last.entries[-1].state == "cut off"
    assert not (last.devices.state & CALLED).any()


def test_results_that_are_too_many_leave_their_facts(make: Any) -> None:
    run = make(EVENT, waiting_bytes=1)
    run.step(30)
    snapshot = run.monitor.snapshot()
    assert snapshot.tick == 29
    assert [entry.state for entry in snapshot.entries] == ["begins", "ended"]
    history = run.monitor.history("1d")
    assert history.time_ms.tolist() == [snapshot.time_ms]
    run.monitor.close()
    run.step()
    assert run.monitor.snapshot(fresh=True).tick == 29


def test_the_history_has_means_at_one_second_and_one_minute(make: Any) -> None:
    run = make(tick_s=0.5)
    run.step(2 * 901)
    seconds = run.monitor.history("15m")
    start = run.scenario.start_ms
    assert seconds.time_ms.tolist() == [start + 1000 * n for n in range(1, 901)]
    rows = [result.batch.current_output[1::2].sum() for result in run.results]
    assert seconds.kw["solar"][0] == pytest.approx(np.mean(rows[2:4]))
    minutes = run.monitor.history("1d")
    assert minutes.time_ms.tolist() == [start + 60_000 * n for n in range(16)]
    assert minutes.kw["solar"][3] == pytest.approx(np.mean(rows[360:480]))
    assert minutes.kw["solar"][15] == pytest.approx(np.mean(rows[1800:]))
    projects = run.monitor.project_history(np.array([2, 0]))
    assert (projects.shape, projects.dtype) == ((2, 60), np.float32)
    own = [
        float(r.truth.baseline_kw[2] - r.truth.load_kw[2] + r.truth.output_kw[4:6].sum())
        for r in run.results
        if r.truth is not None
    ]
    assert projects[0, -2] == pytest.approx(np.mean(own[59 * 30 : 60 * 30]), abs=0.02)
    with pytest.raises(ValueError, match="span must be 15m or 1d"):
        run.monitor.history("1h")


def test_a_long_tick_has_a_point_of_its_own(make: Any) -> None:
    run = make(tick_s=60.0)
    run.step(20)
    assert len(run.monitor.history("15m").time_ms) == 15
    assert np.isnan(run.monitor.project_history(np.arange(3))).sum() == 3 * 40


@pytest.mark.parametrize(
    ("times", "read", "tail"),
    [
        ([], [], [np.nan] * 3),
        ([0], [(0, 0.0)], [np.nan, np.nan, 0.0]),
        ([0, 999], [(0, 499.5)], [np.nan, np.nan, 499.5]),
        ([0, 1000], [(0, 0.0), (1000, 1000.0)], [np.nan, 0.0, 1000.0]),
        ([0, 3000], [(3000, 3000.0)], [np.nan, np.nan, 3000.0]),
        ([0, 2000], [(0, 0.0), (2000, 2000.0)], [0.0, np.nan, 2000.0]),
        ([0, 9000], [(9000, 9000.0)], [np.nan, np.nan, 9000.0]),
    ],
)
def test_a_ring_has_the_newest_steps(
    times: list[int], read: list[tuple[int, float]], tail: list[float]
) -> None:
    for together in (True, False):
        ring = Ring(500, 1000, 3, 1)
        parts = [times] if together else [[time] for time in times]
        for part in parts:
            at = np.array(part, np.int64) + 500
            ring.add(at, np.array(part, np.float64).reshape(-1, 1))
        steps, means = ring.read()
        assert list(zip((steps - 500).tolist(), means[:, 0].tolist(), strict=True)) == read
        np.testing.assert_array_equal(ring.tail(np.array([0]))[0], tail)
