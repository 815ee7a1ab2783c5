"""The state of objects in a checkpoint, and the errors for objects that have none."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gridsim.api import Draws, Stateful
from gridsim.contracts.state import State, StateError
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.helpers import Curtailment
from gridsim.testing import make_members, make_sites
from gridsim_plugins.ders.generator import Generator


class Mode(Enum):
    IDLE = 1
    HEATING = 2


class Level(IntEnum):
    LOW = 3


@dataclass(frozen=True, slots=True)
class Point:
    at_ms: int
    value: float
    marks: tuple[int, ...] = ()


@dataclass
class Counter:
    """Its code must not run when it is restored."""

    count: int = 0
    history: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.count >= 0, "restored by its constructor"


class Part(Stateful):
    def __init__(self) -> None:
        self.power = np.zeros(2)


class Machine(Stateful):
    derived: ClassVar[Collection[str]] = ("_cache", "_log")

    def __init__(self) -> None:
        self.sites = make_sites()
        self.draws = Draws(1)
        self.value: Any = None
        self.part = Part()
        self.parts = [Part(), Part()]
        self._cache = {"old": 1}
        self._log = print


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


def through_bytes(state: State) -> State:
    tree = tree_from_bytes(tree_to_bytes(state))
    assert isinstance(tree, dict)
    return tree


def again(machine: Machine) -> Machine:
    made = type(machine)()
    made.restore(through_bytes(machine.state()))
    return made


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
