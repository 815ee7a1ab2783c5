"""The moments at which readings are played: in the order of the file, never back."""

from __future__ import annotations

import numpy as np
import pytest

from gridsim.play.moments import Moments


def moments(times: list[int], size: int = 1000) -> tuple[list[int], int]:
    own = Moments()
    parts = [np.array(times[at : at + size], np.int64) for at in range(0, len(times), size)]
    found = own.of((part, None) for part in parts)
    return [int(one) for part, _ in found for one in part], own.late


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_times_in_order_are_the_moments(size: int) -> None:
    times = [tick * 1000 for tick in range(200) for _ in range(5)]
    assert moments(times, size) == (times, 0)
    gap = [*times, *(time + 10_000_000 for time in times)]
    assert moments(gap, size) == (gap, 0)


def test_a_late_reading_is_played_in_its_place() -> None:
    times = [0, 1000, 2000, 500, 3000, 3000, 2999]
    assert moments(times) == ([0, 1000, 2000, 2000, 3000, 3000, 3000], 2)


def test_the_clock_of_one_device_does_not_hold_up_the_others() -> None:
    times = [time for tick in range(300) for time in (tick + 5000, tick, tick, tick, tick)]
    found, late = moments(times)
    # Its own readings are played before the others of their tick.
    assert found == [max((place - 1) // 5, 0) for place in range(1500)]
    assert late == 0
    assert moments([0, 1, 10**9, 2, 3, 4, 5, 6])[0] == [0, 1, 1, 2, 3, 4, 5, 6]


def test_the_first_and_the_last_reading_may_be_alone() -> None:
    assert moments([]) == ([], 0)
    assert moments([7]) == ([7], 0)
    assert moments([1, 2, 90_000])[0] == [1, 2, 90_000]
