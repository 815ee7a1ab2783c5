"""The conversion of a user's values: equal texts once, other values one by one."""

from __future__ import annotations

import numpy as np

from gridsim.verify.evidence import MISSING
from gridsim.verify.values import ABSENT, NULL, booleans, converted, integers, numbers


def test_equal_texts_are_converted_once_and_in_order() -> None:
    asked: list[str] = []

    def convert(value: str) -> int:
        asked.append(value)
        return len(value)

    found = converted(("a", "bb", "a", "", "bb"), convert, np.int32)
    assert found.tolist() == [1, 2, 1, 0, 2]
    assert found.dtype.name == "int32"
    assert sorted(asked) == ["", "a", "bb"]


def test_values_of_several_kinds_keep_their_meaning() -> None:
    # 1, 1.0 and True are equal, and so must not be converted once.
    assert numbers((1, True, "1.5", None, MISSING, [1]), 100, text=True).tolist() == [
        100,
        ABSENT,
        150,
        NULL,
        ABSENT,
        ABSENT,
    ]
    assert numbers(("1.5", "1_5", "x", "", " 2 "), 10, text=True).tolist() == [
        15,
        ABSENT,
        ABSENT,
        NULL,
        20,
    ]
    assert booleans(("yes", "No", "2", ""), text=True).tolist() == [1, 0, ABSENT, ABSENT]


def test_counts() -> None:
    assert integers((MISSING, MISSING), text=True).tolist() == [-1, -1]
    assert integers((None, True), text=False).tolist() == [-1, -1]
    assert integers(("3.0", "x", 4, 2.5), text=True).tolist() == [3, -1, 4, -1]
