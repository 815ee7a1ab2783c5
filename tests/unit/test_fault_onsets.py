"""Faults at a rate: their times depend on simulated time, and none is from before the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridsim.api import Draws
from gridsim.simulation.faults.fault_schedule import _Onsets
from tests.fixtures.runs import BATTERY, HEAD, HOME, Bench

TEXT = (
    HEAD
    + HOME.replace("count = 3", "count = 40")
    + BATTERY
    + """
[[faults]]
type = "offline"
readings = "lost"
per_day = 2400
duration_s = 7200
"""
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_began_before_the_start_is_not_there(bench: Bench) -> None:
    """The hour in which the run starts is drawn as a whole: its earlier onsets are left out."""
    late = bench.run(TEXT.replace("T15:00:00Z", "T15:05:00Z"), 4)
    assert len(late.batches[0]) == 40
    early = bench.run(TEXT, 34)
    gone = set(range(40)) - set(early.batches[30].device.tolist())
    assert len(gone) > 30
    # Onsets after the late start are the same for both.
    for tick in (1, 2, 3):
        struck = set(range(40)) - set(late.batches[tick].device.tolist())
        assert struck <= set(range(40)) - set(early.batches[30 + tick].device.tolist())
    assert 10 < len(late.batches[3]) < 40


def test_an_onset_at_the_start_itself_is_there_and_one_a_millisecond_before_is_not() -> None:
    hour = 3_600_000
    draws, keys = Draws(42), np.arange(5, dtype=np.uint64)

    def onsets(start_ms: int) -> list[tuple[int, int]]:
        members, times = _Onsets(draws, keys, 240.0, start_ms).until(2 * hour)
        return list(zip(members.tolist(), times.tolist(), strict=True))

    whole = onsets(hour)
    assert len(whole) > 50
    _, first = whole[0]
    assert hour <= first < 2 * hour
    assert onsets(first) == whole
    assert onsets(first + 1) == whole[1:]


def test_the_gaps_of_a_device_are_drawn_anew_all_hour() -> None:
    """An hour with many onsets is drawn in several rounds, each from other numbers."""
    hour = 3_600_000
    _, times = _Onsets(Draws(42), np.arange(1, dtype=np.uint64), 960.0, hour).until(3 * hour - 1)
    gaps = np.diff(times)
    assert 60 < len(gaps) < 100
    assert len(set(gaps.tolist())) == len(gaps)
