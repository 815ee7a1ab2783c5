"""The search of `gridsim bench --ramp` for the largest fleet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridsim.bench.ramp import search


def find(limit: int, start: int, largest: int = 1_000_000) -> tuple[int, list[int]]:
    tried: list[int] = []

    def holds(size: int) -> bool:
        tried.append(size)
        return size <= limit

    return search(holds, start, largest), tried


@given(limit=st.integers(1, 1_000_000), start=st.integers(1, 1_000_000))
def test_the_largest_size_that_holds_is_found_to_within_a_tenth(limit: int, start: int) -> None:
    found, tried = find(limit, start)
    assert limit - max(1, limit / 10) <= found <= limit
    assert len(set(tried)) == len(tried) < 50


def test_it_doubles_then_bisects() -> None:
    assert find(limit=53_000, start=10_000) == (
        50_000,
        [10_000, 20_000, 40_000, 80_000, 60_000, 50_000, 55_000],
    )


def test_it_halves_when_the_first_is_too_large() -> None:
    found, tried = find(limit=3_000, start=10_000)
    assert tried[:3] == [10_000, 5_000, 2_500]
    assert 2_700 <= found <= 3_000


def test_it_stops_at_the_largest() -> None:
    assert find(limit=10**9, start=10_000, largest=35_000) == (
        35_000,
        [10_000, 20_000, 35_000],
    )


def test_nothing_may_hold() -> None:
    assert find(limit=0, start=5)[0] == 0
