"""The verdict on a run's rate."""

from __future__ import annotations

import pytest

from gridsim.contracts.latency import LatencySketch
from gridsim.contracts.part_status import TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.running.pace import behind_now, is_held, shortfall_lines


def status(
    ticks: int = 100,
    late: int = 0,
    *,
    late_batches: int = 0,
    dropped: int = 0,
    behind_s: float = 0.0,
    transport_behind_s: float = 0.0,
    wake_s: float = 1.0,
) -> RunStatus:
    mqtt = TransportStatus(
        name="mqtt",
        state="up",
        dropped={"queue full": dropped} if dropped else {},
        behind_s=transport_behind_s,
        batches=100,
        late_batches=late_batches,
        settled=LatencySketch.of([0.1] * 100),
        encoding_s=3.0,
        computing_s=5.0,
        waiting_s=15.0,
    )
    return RunStatus(
        state="running",
        start_ms=0,
        tick_ms=1000,
        ticks=None,
        tick=ticks,
        speed=1.0,
        seed=42,
        stepping_s=7.0,
        late_ticks=late,
        worst_lag_s=2.5,
        behind_s=behind_s,
        wake_s=wake_s,
        transports=(mqtt,),
    )


@pytest.mark.parametrize(
    ("run", "held"),
    [
        (status(100, 1, late_batches=1), True),
        (status(100, 2), False),
        (status(100, late_batches=2), False),
        (status(100, dropped=1), False),
        (status(100, 100, late_batches=100, dropped=9, wake_s=0.0), True),
    ],
)
def test_one_in_a_hundred_may_be_late_and_none_dropped(run: RunStatus, held: bool) -> None:
    assert is_held(run) is held


def test_the_slowest_part_is_named() -> None:
    lines = list(shortfall_lines(status(100, 60, late_batches=50, dropped=9)))
    assert "60 of 100 ticks were late, the worst by 2.5 s" in lines[0]
    assert "50 batches late (p99 0.1 s)" in lines[1]
    assert "dropped 9 readings" in lines[1]
    assert lines[2] == (
        "the slowest part was mqtt far end; time spent: mqtt far end 15.0 s, models 7.0 s, "
        "mqtt encoding 3.0 s, mqtt transport 2.0 s"
    )


def test_the_live_line_says_what_is_behind() -> None:
    assert behind_now(status(9, behind_s=1.0, transport_behind_s=1.0)) == ""
    assert behind_now(status(9, behind_s=3.0, transport_behind_s=1.5)) == "ticks 3.0 s, mqtt 1.5 s"
    assert behind_now(status(9, behind_s=3.0, wake_s=0.0)) == ""
