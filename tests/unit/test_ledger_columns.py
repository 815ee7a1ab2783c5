"""Columns of integers come back from their packed form unchanged, and take the least room."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.ledger.columns import NONE, Packed, pack, pack_places, unpack

LARGEST = 2**63 - 1
EDGES = [
    edge + near for bits in (7, 15, 31) for edge in (2**bits, -(2**bits), 0) for near in (-1, 0, 1)
]
VALUE = st.sampled_from([*EDGES, NONE, NONE + 1, LARGEST]) | st.integers(-(2**63), LARGEST)


@given(st.lists(st.lists(VALUE, min_size=1, max_size=9), max_size=9))
def test_every_integer_comes_back(parts: list[list[int]]) -> None:
    rows = [len(part) for part in parts]
    starts = [sum(rows[:index]) for index in range(len(rows))]
    values = np.array([value for part in parts for value in part], np.int64)
    found = unpack(pack(values, starts), rows)
    assert found.dtype == np.int64
    assert found.tolist() == values.tolist()


@given(st.lists(st.sets(st.integers(0, 300), min_size=1), max_size=5))
def test_places_come_back(parts: list[set[int]]) -> None:
    rows = [len(part) for part in parts]
    starts = [sum(rows[:index]) for index in range(len(rows))]
    values = np.array([value for part in parts for value in sorted(part)], np.int64)
    packed = pack_places(values, starts)
    assert unpack(packed, rows, places=True).tolist() == values.tolist()
    whole = [part == set(range(len(part))) for part in parts]
    assert [part is None for part in packed] == whole


def one(*values: int) -> Packed:
    return pack(np.array(values, np.int64), [0])[0]


@pytest.mark.parametrize(
    ("values", "packed"),
    [
        ((7, 7, 7), 7),
        ((NONE, NONE), None),
        ((NONE,), None),
        ((0,), 0),
        ((127, -127), bytes([127, 129])),
        ((127, NONE), bytes([127, 128])),
        ((5, NONE, 5), bytes([5, 128, 5])),
        ((128, 0), (128).to_bytes(2, "little") + bytes(2)),
        ((-128, 0), (-128).to_bytes(2, "little", signed=True) + bytes(2)),
        ((NONE, LARGEST), NONE.to_bytes(8, "little", signed=True) + LARGEST.to_bytes(8, "little")),
    ],
)
def test_a_column_takes_the_least_room(values: tuple[int, ...], packed: Packed) -> None:
    assert one(*values) == packed


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_width_is_left_at_its_edge(bits: int) -> None:
    """The lowest integer of a width means no value, so it needs the next width."""
    most = 2 ** (bits - 1) - 1
    widths = [
        len(one(0, value) or b"") * 4  # type: ignore[arg-type]
        for value in (most, most + 1, -most, -most - 1)
    ]
    assert widths == [bits, 2 * bits, bits, 2 * bits]


def test_parts_of_all_forms_are_read_in_their_order() -> None:
    parts = [[1, 2], [3, 3], [NONE], [1000, 2], [4, 4], [5, 6], [2**40, 1]]
    rows = [len(part) for part in parts]
    values = [value for part in parts for value in part]
    starts = [0, *np.cumsum(rows)[:-1].tolist()]
    assert all(a < b for a, b in pairwise(starts))
    packed = pack(np.array(values, np.int64), starts)
    assert [type(part) for part in packed] == [bytes, int, type(None), bytes, int, bytes, bytes]
    assert unpack(packed, rows).tolist() == values
