"""The status of a run: its latencies, and shards that add up."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.contracts.latency import LatencySketch, RecentDurations
from gridsim.contracts.part_status import (
    BackfillStatus,
    CheckpointStatus,
    EventStatus,
    FaultStatus,
    InstructionStatus,
    LedgerStatus,
    ResumeStatus,
    TransportStatus,
)
from gridsim.contracts.results import FleetFailure
from gridsim.contracts.status import RunStatus
from gridsim.running.pace import is_held
from gridsim.running.verdict import judge

SECONDS = st.lists(st.floats(0.0, 1e5, allow_nan=False), max_size=200)


def test_the_quantiles_of_nothing_are_zero() -> None:
    assert len(LatencySketch.of([])) == 0
    assert LatencySketch.of([]).quantile(0.5) == 0.0


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-6])
def test_what_is_below_a_microsecond_is_zero(seconds: float) -> None:
    assert LatencySketch.of([seconds]).quantile(0.5) == 0.0


@pytest.mark.parametrize("count", [0, 1, 9_999, 10_000, 10_001, 25_000])
def test_the_last_10000_durations_are_kept(count: int) -> None:
    recent = RecentDurations()
    for number in range(count):
        recent.append(float(number))
    last = [float(number) for number in range(max(count - 10_000, 0), count)]
    assert [*recent] == recent.values().tolist() == last
    assert len(recent) == len(last)
    assert LatencySketch.of(recent) == LatencySketch.of(last)
    recent.clear()
    recent.append(3.0)
    assert [*recent] == [3.0]


def test_a_duration_that_is_kept_is_no_object() -> None:
    """A run of weeks has no more objects of them than one of a second."""
    recent = RecentDurations()
    before = sys.getallocatedblocks()
    for number in range(20_000):
        recent.append(number + 0.5)
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize("share", [-0.01, 1.01])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        LatencySketch.of([1.0]).quantile(share)


@given(SECONDS.filter(bool), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_a_quantile_is_within_one_per_cent(values: list[float], share: float) -> None:
    found = LatencySketch.of(values).quantile(share)
    exact = float(np.quantile(values, share, method="lower"))
    assert found == pytest.approx(exact, rel=0.0101, abs=1.1e-6)


@given(SECONDS, SECONDS)
def test_sketches_merge_as_if_they_were_one(one: list[float], other: list[float]) -> None:
    merged = LatencySketch.of(one) + LatencySketch.of(other)
    assert merged == LatencySketch.of([*one, *other])


def shard(**changes: object) -> RunStatus:
    base = RunStatus(
        state="running",
        start_ms=1000,
        tick_ms=500,
        ticks=None,
        tick=10,
        speed=1.0,
        seed=42,
        projects=2,
        devices=5,
        readings=50,
        elapsed_s=10.0,
        cpu_s=1.0,
        worst_lag_s=0.1,
        lag=LatencySketch.of([0.01]),
        output_kw={"solar": 1.0},
        load_kw=4.0,
        instructions=InstructionStatus(1, 2, 3),
        events=(EventStatus("peak", times=2, projects=2, took_part=3, delivered_kwh=1.5),),
        faults=FaultStatus(readings=50, affected=5),
        transports=(
            TransportStatus("mqtt", "up", accepted=50, delivered=48, dropped={"queue full": 2}),
        ),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_shards_add_up() -> None:
    other = shard(
        tick=8,
        state="paused",
        elapsed_s=12.0,
        worst_lag_s=0.3,
        output_kw={"battery_storage": -2.0, "solar": 0.5},
        events=(EventStatus("peak", times=3, projects=1, took_part=1), EventStatus("cap")),
        faults=None,
        transports=(
            TransportStatus("mqtt", "connecting", error="refused", accepted=40, pending=40),
            TransportStatus("file", "up", accepted=40, delivered=40),
        ),
        error="it broke",
    )
    both = shard().merge(other)
    assert (both.state, both.tick, both.projects, both.devices) == ("running", 8, 4, 10)
    assert (both.readings, both.elapsed_s, both.cpu_s, both.worst_lag_s) == (100, 12.0, 2.0, 0.3)
    assert both.output_kw == {"battery_storage": -2.0, "solar": 1.5}
    assert (both.load_kw, both.net_kw, both.error) == (8.0, 8.5, "it broke")
    assert both.instructions == InstructionStatus(2, 4, 6)
    peak, cap = both.events
    assert (peak.times, peak.projects, peak.took_part, peak.delivered_kwh) == (3, 3, 4, 1.5)
    assert cap == EventStatus("cap")
    assert both.faults == FaultStatus(readings=50, affected=5)
    mqtt, file = both.transports
    assert (mqtt.state, mqtt.error) == ("connecting", "refused")
    assert (mqtt.accepted, mqtt.delivered, mqtt.pending) == (90, 48, 40)
    assert mqtt.dropped == {"queue full": 2}
    assert mqtt.accepted == mqtt.delivered + mqtt.dropped_total + mqtt.unconfirmed + mqtt.pending
    assert file.delivered == 40
    assert len(both.lag) == 2


def test_a_rate_that_one_of_many_shards_misses_is_not_held() -> None:
    fine = TransportStatus("mqtt", "closed", batches=1000, ever_connected=True)
    late = replace(fine, late_batches=30)
    shards = [shard(wake_s=1.0, transports=(one,)) for one in (fine, late, fine, fine)]
    assert not is_held(reduce(RunStatus.merge, shards))
    assert is_held(reduce(RunStatus.merge, (shards[0], *shards[2:])))
    # The same tick is late in each of them.
    ticks = [shard(tick=1000, wake_s=1.0, late_ticks=9, transports=()) for _ in range(4)]
    assert is_held(reduce(RunStatus.merge, ticks))
    assert not is_held(reduce(RunStatus.merge, (*ticks, replace(ticks[0], late_ticks=11))))


def test_a_transport_that_failed_in_one_shard_has_failed() -> None:
    closed = TransportStatus("mqtt", "closed", ever_connected=True, accepted=5, delivered=5)
    failed = replace(closed, state="failed", error="the disk is full")
    for shards in ((closed, failed, closed), (failed, closed, closed)):
        merged = reduce(RunStatus.merge, (shard(transports=(one,)) for one in shards))
        [finding] = judge(merged).findings
        assert (finding.kind, finding.error) == ("failed", "the disk is full")


def test_the_parts_of_shards_merge() -> None:
    one, other = (
        shard(
            ledger=LedgerStatus(f"out/l-shard-{index}-of-2.sqlite", waited_s=index),
            checkpoint=CheckpointStatus(f"kept/{index}-of-2", tick=10 + index),
            transports=(TransportStatus("file", "up", target=f"f-{index}-of-2.jsonl"),),
            failures=(FleetFailure("battery", 3, 5, "it broke"),),
            resumed=ResumeStatus(4, 5, 9, "skip", lost=2, caught_up=True) if index else None,
        )
        for index in (0, 1)
    )
    both = one.merge(other)
    assert both.ledger == LedgerStatus("out/l-shard-{shard}.sqlite", waited_s=1)
    assert both.checkpoint == CheckpointStatus("kept/{shard}", tick=10)
    assert both.transports[0].target == "f-{shard}.jsonl"
    assert both.failures == (FleetFailure("battery", 6, 5, "it broke"),)
    assert both.resumed == other.resumed
    assert other.merge(other).resumed == ResumeStatus(4, 5, 9, "skip", lost=4, caught_up=True)


def test_the_backfill_of_shards_is_that_of_the_last_one() -> None:
    over, short = BackfillStatus(0, 90, ended_at=90, took_s=9.0), BackfillStatus(0, 80, ended_at=80)
    going = BackfillStatus(0, 100, took_s=3.0)
    for parts, expected in (
        ((over, going, short), going),
        ((short, over, None), over),
        ((None, None), None),
    ):
        merged = reduce(RunStatus.merge, (shard(backfill=part) for part in parts))
        assert merged.backfill == expected
        assert merged.is_backfilling == (expected is going)


def test_ticks_of_the_backfill_do_not_excuse_late_ones() -> None:
    past = BackfillStatus(0, 1_000_000, ended_at=1_000_000)
    late = shard(tick=1_000_100, wake_s=1.0, late_ticks=2, transports=())
    assert is_held(late)
    assert not is_held(replace(late, backfill=past))
    assert is_held(replace(late, backfill=past, late_ticks=1))


@pytest.mark.parametrize("name", ["start_ms", "tick_ms", "seed", "ticks"])
def test_shards_of_different_runs_do_not_merge(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} differs"):
        shard().merge(shard(**{name: 7}))


def test_it_is_json() -> None:
    record = json.loads(json.dumps(shard().to_dict()))
    assert record["time_ms"] == 6000
    assert record["net_kw"] == 3.0
    assert record["transports"][0]["dropped"] == {"queue full": 2}
    assert list(record["lag"]["buckets"].values()) == [1]
