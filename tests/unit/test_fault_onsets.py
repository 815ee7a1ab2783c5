"""Faults at a rate: their times depend on simulated time, and none is from before the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.runs import BATTERY, HEAD, HOME, Bench

TEXT = (
    HEAD
    + HOME.replace("count = 3", "count = 40")
    + BATTERY
    + """
[[faults]]
type = "offline"
readings = "lost"
per_day = 240
duration_s = 7200
"""
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_began_before_the_start_is_not_there(bench: Bench) -> None:
    """The hour in which the run starts is drawn as a whole: its earlier onsets are left out."""
    late = bench.run(TEXT.replace("T15:00:00Z", "T15:50:00Z"), 31)
    assert len(late.batches[0]) == 40
    early = bench.run(TEXT, 331)
    gone = set(range(40)) - set(early.batches[300].device.tolist())
    assert len(gone) > 30
    # Onsets after the late start are the same for both.
    for tick in (5, 15, 30):
        struck = set(range(40)) - set(late.batches[tick].device.tolist())
        assert struck <= set(range(40)) - set(early.batches[300 + tick].device.tolist())
    assert 10 < len(late.batches[30]) < 40
