"""Lists in the same order are joined to one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.ledger.merging.woven import woven


def _joined(*lists: str, rank: str = "") -> str:
    groups = woven(lists, lambda one: one, rank.find)
    return "".join(group[0][1] for group in groups)


def test_equal_entries_coincide() -> None:
    assert _joined("abd", "bcd", "d") == "abcd"
    assert woven(["ab", "b"], lambda one: one) == [[(0, "a")], [(0, "b"), (1, "b")]]


def test_an_entry_that_a_list_has_twice_stays_twice() -> None:
    assert _joined("aba", "a") == "aba"


def test_the_rank_decides_what_the_lists_leave_open() -> None:
    assert _joined("ac", "bd") == "acbd"
    assert _joined("ac", "bd", rank="dbca") == "bdac"
    assert _joined("ac", "cb", rank="bca") == "acb"


def test_lists_that_contradict_each_other_lose_nothing() -> None:
    assert sorted(_joined("abc", "cba")) == ["a", "b", "c"]


@settings(max_examples=30)
@given(st.lists(st.sets(st.integers(0, 20)), min_size=1, max_size=5))
def test_parts_of_one_list_give_its_order(parts: list[set[int]]) -> None:
    groups = woven([sorted(part) for part in parts], lambda one: one, lambda one: one)
    assert [group[0][1] for group in groups] == sorted(set().union(*parts))
    assert [len(group) for group in groups] == [
        sum(group[0][1] in part for part in parts) for group in groups
    ]
