"""Objects are restored where they are; a state that does not fit is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gridsim.api import Stateful
from gridsim.contracts.state import State, StateError
from gridsim.helpers import Curtailment
from gridsim.testing import make_members
from gridsim_plugins.ders.generator import Generator
from tests.unit.state.classes import Counter, Machine, Point, again, through_bytes


class Slotted(Stateful):
    __slots__ = ("a", "b")

    b: str

    def __init__(self) -> None:
        self.a = 1


class Child(Machine):
    derived: ClassVar[Collection[str]] = ("scratch",)

    def __init__(self) -> None:
        super().__init__()
        self.scratch = threading.Lock()


def test_what_is_restored_by_fields_does_not_run_the_class() -> None:
    machine = Machine()
    machine.value = Counter(1)
    machine.value.count = -1  # the constructor would refuse it
    assert again(machine).value.count == -1


def test_nested_objects_are_restored_where_they_are() -> None:
    machine = Machine()
    machine.part.power[:] = 5.0
    machine.parts[1].power[:] = 6.0
    made = Machine()
    part, parts = made.part, list(made.parts)
    made.restore(through_bytes(machine.state()))
    assert made.part is part
    assert made.parts == parts
    assert part.power.tolist() == [5.0, 5.0]
    assert [one.power[0] for one in parts] == [0.0, 6.0]


def test_arguments_and_derived_attributes_are_left_out() -> None:
    assert Machine().state().keys() == {"value", "part", "parts"}
    assert Child().state().keys() == {"value", "part", "parts"}
    fleet = Generator(make_members(Generator.Settings, [{"nameplate_capacity": 1.0}]))
    assert "members" not in fleet.state()


class Listed(Machine):
    kept = ("value",)


class Misspelt(Machine):
    kept = ("value", "valeu")


def test_a_list_of_what_is_kept_leaves_out_all_else() -> None:
    assert Listed().state() == {"value": None}
    with pytest.raises(StateError, match=r"Listed\.part is in the checkpoint, but"):
        Listed().restore({"part": {}})


def test_a_list_counts_for_its_own_class_only() -> None:
    """A subclass that adds attributes does not lose them."""

    class Further(Listed):
        def __init__(self) -> None:
            super().__init__()
            self.more = 1

    assert Further().state().keys() == {"value", "part", "parts", "more"}


def test_a_list_that_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(StateError, match=r"Misspelt\.kept names 'valeu', which is not an"):
        Misspelt().state()


def test_a_state_is_a_copy_in_both_directions() -> None:
    machine = Machine()
    machine.value = np.zeros(3)
    state = machine.state()
    machine.value += 1.0
    assert state["value"].tolist() == [0.0] * 3
    one, other = Machine(), Machine()
    one.restore(state)
    other.restore(state)
    one.value += 2.0
    assert other.value.tolist() == state["value"].tolist() == [0.0] * 3


def test_slots_are_attributes_and_unset_ones_stay_unset() -> None:
    slotted = Slotted()
    assert slotted.state() == {"a": 1}
    slotted.b = "later"
    made = Slotted()
    made.restore(slotted.state())
    assert (made.a, made.b) == (1, "later")


def test_only_what_is_listed_is_overwritten() -> None:
    machine = Machine()
    machine.value = "own"
    machine.restore({})
    assert machine.value == "own"


def test_an_object_with_the_two_methods_is_nested_too() -> None:
    machine = Machine()
    machine.value = Curtailment(np.full(2, 5.0), np.ones(2))
    machine.value.apply(np.full(2, 5.0), 2.0, np.full(2, 1.0))
    made = Machine()
    made.value = Curtailment(np.full(2, 5.0), np.ones(2))
    made.restore(through_bytes(machine.state()))
    expected = machine.value.apply(np.full(2, 5.0), 1.0, np.full(2, 1.0))
    assert made.value.apply(np.full(2, 5.0), 1.0, np.full(2, 1.0)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: (path / "log").open("w"), "it is of the type TextIOWrapper"),
        (lambda path: lambda: 1, "it is a function, and a checkpoint holds no code"),
        (lambda path: np.random.default_rng(1), "it is a random generator"),
        (lambda path: np.array([object()]), "it is an array of object"),
        (lambda path: Machine, "it is a function"),
        (lambda path: [1, {"a": (object(),)}], "it is of the type object"),
        (lambda path: Point(1, object()), "it is of the type object"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_kept_is_named_with_a_remedy(
    make: Callable[[Path], Any], complaint: str, tmp_path: Path
) -> None:
    machine = Machine()
    machine.value = make(tmp_path)
    with pytest.raises(StateError) as caught:
        machine.state()
    text = str(caught.value)
    assert text.startswith(f"Machine.value cannot be kept in a checkpoint: {complaint}")
    assert "name it in Machine.derived" in text
    assert "override state() and restore()" in text
    if hasattr(machine.value, "close"):
        machine.value.close()


def test_an_object_that_refers_to_itself_is_refused() -> None:
    machine = Machine()
    machine.value = machine
    with pytest.raises(StateError, match=r"Machine\.value .* refers to itself"):
        machine.state()
    machine.value = []
    machine.value.append(machine.value)
    with pytest.raises(StateError, match=r"Machine\.value .* refers to itself"):
        machine.state()


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"state": 1}, "has no such state"),  # a method
        ({"derived": ["x"]}, "has no such state"),
        ({"_cache": 1}, "has no such state"),
        ({"__class__": "x"}, "has no such state"),
        ({"no name": 1}, "has no such state"),
        ({"value": {"part": 1}}, "the constructor does not create that object"),
        ({"value": {"$code": "print()"}}, r"\$code is not a form of state"),
        ({"value": {"$tuple": 3}}, r"\$tuple is not a form of state"),
        ({"value": {"$dict": [[1]]}}, r"\$dict does not fit"),
        ({"value": {"$dict": [[[1], 2]]}}, r"\$dict does not fit"),
        ({"value": {"$bytes": "x"}}, r"\$bytes is not a form of state"),
        ({"value": {"$set": [[1]]}}, r"\$set does not fit"),
        ({"value": {"$deque": [-1, []]}}, r"\$deque does not fit"),
        ({"value": {"$enum": ["Mode", "BOILING"]}}, r"\$enum does not fit"),
        ({"value": {"$enum": ["Path", "cwd"]}}, "no dataclass or enum 'Path'"),
        ({"value": {"$dataclass": ["Machine", {}]}}, "no dataclass or enum 'Machine'"),
        ({"value": {"$dataclass": ["Mode", {}]}}, "has other fields now"),
        ({"value": {"$dataclass": ["Point", {"at_ms": 1}]}}, "Point has other fields now"),
    ],
)
def test_a_state_of_something_else_is_refused(state: State, complaint: str) -> None:
    with pytest.raises(StateError, match=complaint):
        Machine().restore(state)
