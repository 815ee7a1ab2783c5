"""Ids that a system writes in another way are said as one difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from gridsim.verify.ids import changed_ids

SENT = ["HOME_1_PV", "HOME_1_B", "HOME_2_PV"]


def found(received: list[str], records: int = 4) -> list[str]:
    unknown = Counter(dict.fromkeys(received, records))
    return [str(one) for one in changed_ids(unknown, SENT, 12)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (str.lower, "are in another case"),
        (lambda id: f"site/{id}", "have 'site/' before them"),
        (lambda id: f"{id}-1", "have '-1' after them"),
        (lambda id: id[1:], "lack 'H' before them"),
        (lambda id: id.replace("_", "."), "have other separators"),
    ],
)
def test_ids_that_are_written_in_another_way(change: Callable[[str], str], text: str) -> None:
    first = change(SENT[0])
    assert found([change(id) for id in SENT]) == [
        f"der_id: all 12 {text}: '{first}' for '{SENT[0]}'"
    ]


def test_a_difference_of_few_ids_is_not_said() -> None:
    assert found(["x", "y", "home_1_pv"]) == []
    assert found(["home_1_pv"], records=2) == []
    assert found(["home_1_pv"], records=3) != []
    assert found([]) == []
