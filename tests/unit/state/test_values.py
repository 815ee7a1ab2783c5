"""Values and arrays come back from a state as they were."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from tests.unit.state.classes import Counter, Level, Machine, Mode, Point, again

VALUES: list[Any] = [
    None,
    True,
    -5,
    2**64 - 1,
    0.1,
    float("inf"),
    "läuft",
    b"",
    b"\x00bytes",
    [],
    [1, [2.0, "x"]],
    (),
    (1, (2, None)),
    {},
    {"a": 1, 3: (4,), (5, 6): "key"},
    {1, 2},
    frozenset(),
    deque([1, 2], maxlen=5),
    deque(["a"]),
    Mode.HEATING,
    Level.LOW,
    Point(7, -0.0, (1, 2)),
    [Point(1, 2.0), None],
    Counter(3, [1, 2]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_equal_and_of_its_type(value: Any) -> None:
    machine = Machine()
    machine.value = value
    restored = again(machine).value
    assert restored == value
    kind = set if isinstance(value, frozenset) else type(value)
    assert type(restored) is kind
    if isinstance(restored, deque):
        assert restored.maxlen == value.maxlen


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6, dtype=np.int8)[::2],
        np.array([True, False]),
        np.array(["", "läuft"]),
        np.zeros((0, 4), np.float32),
        np.array([np.nan, -0.0, np.inf]),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["2026-07-01"], "datetime64[ms]"),
        np.array([1, 2], ">i4"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_bit_for_bit(array: Any) -> None:
    machine = Machine()
    machine.value = array
    restored = again(machine).value
    assert restored.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(restored, array)
    if array.dtype.kind == "f":
        assert (np.signbit(restored) == np.signbit(array)).all()
    restored[...] = restored  # it can be written to


def test_a_numpy_scalar_stays_one() -> None:
    machine = Machine()
    machine.value = np.float32(0.1)
    restored = again(machine).value
    assert type(restored) is np.float32
    assert restored == np.float32(0.1)
