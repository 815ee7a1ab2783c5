"""Columns that come in parts are what one concatenation would have made, in less room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gridsim.verify.growing import Growing, joined


@pytest.mark.parametrize(
    "parts",
    [
        [[], []],
        [[], [7, 7], [7]],
        [[7, 7], [7, 8], [], [9]],
        [[1], [2]],
        [[0], *[[n, n + 1] for n in range(2000)], [5]],
    ],
)
def test_parts_become_one_column(parts: Sequence[Sequence[int]]) -> None:
    column = Growing()
    for part in parts:
        column.append(np.array(part, np.int32))
    whole = column.whole()
    assert whole.dtype == np.int32
    assert whole.tolist() == [value for part in parts for value in part]


def test_a_column_that_always_says_the_same_takes_no_room() -> None:
    parts = ([np.full(1000, -1), np.arange(1000)] for _ in range(10))
    same, other = joined(parts)
    assert (len(same), len(other)) == (10_000, 10_000)
    assert same.strides == (0,)
    assert (same == -1).all()
    assert other.sum() == 10 * 999 * 500
