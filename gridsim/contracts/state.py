"""State: the data of an object that a checkpoint keeps; it never holds code."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.members import Members
from gridsim.contracts.settings import Settings
from gridsim.contracts.sites import Sites
from gridsim.errors import GridsimError
from gridsim.helpers.randomness import Draws

Tree: TypeAlias = "bool | int | float | str | NDArray[Any] | list[Tree] | dict[str, Tree] | None"
"""A state: arrays, numbers, texts, None, bools, lists and maps with texts as keys."""
State: TypeAlias = dict[str, Any]
"""The state of one object: a tree for each attribute."""

ARRAY_KINDS = "biufcSUmM"
"""The kinds of NumPy types that a state may hold: no objects."""

# The constructor's arguments: a new object has the same ones.
ARGUMENTS = (Members, Settings, Sites, Draws)
# Deeper nesting means that an object refers to itself.
_DEEPEST = 32


class StateError(GridsimError):
    """An object cannot be kept in a checkpoint, or a checkpoint does not fit the object."""


class Stateful:
    """Base of objects that a checkpoint keeps: their state is the values of their attributes.

    An attribute may be a number, text, bytes, None, array, list, tuple, dict, set, deque, enum
    member or dataclass of such values, or another Stateful object that the constructor makes.
    Attributes that hold the constructor's arguments `members`, `settings`, `sites` and `draws` are
    left out. A dataclass or enum must be defined in, or imported by, the module of the object's
    class.

    `restore` is called on a new object that was made from the same arguments. A class with
    attributes of other types overrides both methods.
    """

    derived: ClassVar[Collection[str]] = ()
    """Attributes that a checkpoint leaves out, because the object computes them again from the
    constructor's arguments and the tick: caches, for example. Those of base classes count too."""
    kept: ClassVar[Collection[str] | None] = None
    """The attributes that a checkpoint keeps, if the class itself lists them; all others, such as
    constants, are then left out. None, also in a subclass without its own list: all but
    `derived`.
    """
    indices: ClassVar[Collection[str]] = ()
    """Attributes that hold indices of members, int arrays without an order; see `Staying`."""

    def state(self) -> State:
        """Return a copy of the state. Raises StateError, naming the attribute."""
        return state_of(self, [name for name, _ in attributes_of(self)])

    def restore(self, state: State) -> None:
        """Take over a copy of a state. Raises StateError if it is not one of this class."""
        names = [name for name in state if _is_attribute(self, name)]
        restore_attributes(self, state, names)


def state_of(owner: object, names: Iterable[str]) -> State:
    """Return a copy of these attributes of any object. Raises StateError."""
    return {
        name: encoded(value, f"{type(owner).__name__}.{name}")
        for name in names
        if not isinstance(value := getattr(owner, name), ARGUMENTS)
    }


def restore_attributes(owner: object, state: State, names: Collection[str]) -> None:
    """Set attributes of any object from a state that holds exactly these. Raises StateError."""
    for name, value in state.items():
        where = f"{type(owner).__name__}.{name}"
        if name not in names:
            raise StateError(f"{where} is in the checkpoint, but this class has no such state")
        present = getattr(owner, name, None)
        setattr(owner, name, decoded(value, present, type(owner), where))


def encoded(value: Any, where: str, depth: int = 0) -> Tree:
    """Return an attribute's value as a tree; `where` names the attribute in errors."""
    if depth > _DEEPEST:
        raise StateError(f"{where} cannot be kept in a checkpoint: it refers to itself")

    def each(values: Collection[Any]) -> list[Tree]:
        return [encoded(one, where, depth + 1) for one in values]

    match value:
        case Enum():
            return {"$enum": [type(value).__name__, value.name]}
        case np.generic() | np.ndarray() if value.dtype.kind in ARRAY_KINDS:
            # A copy: the object may overwrite its arrays in place. A scalar has no dimension.
            return np.array(value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"$bytes": np.frombuffer(value, np.uint8).copy()}
        case list():
            return each(value)
        case tuple():
            return {"$tuple": each(value)}
        case dict():
            return {"$dict": [each(pair) for pair in value.items()]}
        case set() | frozenset():
            return {"$set": each(sorted(value, key=repr))}
        case deque():
            return {"$deque": [value.maxlen, each(value)]}
    if is_dataclass(value) and not isinstance(value, type):
        columns = {field.name: getattr(value, field.name) for field in fields(value)}
        named: State = {name: encoded(one, where, depth + 1) for name, one in columns.items()}
        return {"$dataclass": [type(value).__name__, named]}
    if keeps_state(value):
        return _nested(value, where)
    raise StateError(
        f"{where} cannot be kept in a checkpoint: {_described(value)}. Keep numbers, texts, "
        f"arrays, or containers or dataclasses of them; or derive its class from Stateful; or "
        f"name it in {where.partition('.')[0]}.derived if it can be computed again; or override "
        "state() and restore()"
    )


def decoded(tree: Tree, present: Any, owner: type, where: str) -> Any:
    """Return the value of an attribute of the class `owner` from its tree.

    `present` is the attribute's value in the new object; it holds the nested objects.
    """
    if isinstance(tree, np.ndarray):
        return tree.copy() if tree.ndim else tree[()]
    if isinstance(tree, list):
        held = present if isinstance(present, list) and len(present) == len(tree) else None
        return _decoded_items(tree, held, owner, where)
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        ((tag, content),) = tree.items()
        if tag.startswith("$"):
            return _decoded_tag(tag, content, present, owner, where)
    if not keeps_state(present):
        raise StateError(
            f"{where} cannot be restored: the checkpoint has an object's state for it, but the "
            "constructor does not create that object. Create it in the constructor, or override "
            "state() and restore()"
        )
    present.restore(tree)
    return present


def _decoded_items(
    trees: list[Tree], present: Collection[Any] | None, owner: type, where: str
) -> list[Any]:
    held = present if present is not None else [None] * len(trees)
    return [decoded(tree, one, owner, where) for tree, one in zip(trees, held, strict=True)]


def _decoded_tag(tag: str, content: Tree, present: Any, owner: type, where: str) -> Any:
    try:
        match tag, content:
            case "$tuple", list(items):
                same = isinstance(present, tuple) and len(present) == len(items)
                return tuple(_decoded_items(items, present if same else None, owner, where))
            case "$dict", list(pairs):
                held = present if isinstance(present, dict) else {}
                return dict(_decoded_pair(pair, held, owner, where) for pair in pairs)
            case "$bytes", np.ndarray() if content.dtype == np.uint8:
                return content.tobytes()
            case "$set", list(items):
                return set(_decoded_items(items, None, owner, where))
            case "$deque", [int() | None as maxlen, list(items)]:
                return deque(_decoded_items(items, None, owner, where), maxlen)
            case "$enum", [str(name), str(member)]:
                return _class(owner, name, present, where)[member]  # type: ignore[index]
            case "$dataclass", [str(name), dict(columns)]:
                return _made(_class(owner, name, present, where), columns, where)
    except (TypeError, ValueError, KeyError) as error:
        raise StateError(f"{where} cannot be restored: {tag} does not fit: {error}") from error
    raise StateError(f"{where} cannot be restored: {tag} is not a form of state")


def _decoded_pair(pair: Tree, held: dict[Any, Any], owner: type, where: str) -> tuple[Any, Any]:
    if not isinstance(pair, list):
        raise TypeError("a pair is not a list")
    key_tree, value = pair
    key = decoded(key_tree, None, owner, where)
    return key, decoded(value, held.get(key), owner, where)


def _made(cls: type, columns: Mapping[str, Tree], where: str) -> Any:
    """Return an instance of a dataclass with these fields; its code does not run."""
    if not is_dataclass(cls) or columns.keys() != {field.name for field in fields(cls)}:
        raise StateError(f"{where} cannot be restored: {cls.__name__} has other fields now")
    made = object.__new__(cls)
    for name, tree in columns.items():
        # The types of its fields are known where it is defined.
        object.__setattr__(made, name, decoded(tree, None, cls, where))
    return made


def _class(owner: type, name: str, present: Any, where: str) -> type:
    """Return the dataclass or enum of that name.

    It is the class of `present`, or one that the modules of `owner` define or import.
    """
    if type(present).__name__ == name and (is_dataclass(present) or isinstance(present, Enum)):
        return type(present)
    for base in owner.__mro__:
        found = vars(sys.modules.get(base.__module__)).get(name)
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
            return found
    raise StateError(
        f"{where} cannot be restored: {owner.__module__} has no dataclass or enum {name!r}"
    )


def keeps_state(value: Any) -> bool:
    """Return whether the object has its own state: it is Stateful, or has the methods of
    Stateful.
    """
    methods = (getattr(value, name, None) for name in ("state", "restore"))
    return not isinstance(value, type) and all(map(callable, methods))


def _nested(value: Any, where: str) -> State:
    try:
        state: State = value.state()
    except RecursionError:
        raise StateError(f"{where} cannot be kept in a checkpoint: it refers to itself") from None
    return state


def attributes_of(owner: Stateful) -> Iterator[tuple[str, Any]]:
    """Yield the attributes that a checkpoint keeps, with their values."""
    kept = vars(type(owner)).get("kept")
    if kept is not None:
        for name in kept:
            if not hasattr(owner, name):
                raise StateError(
                    f"{type(owner).__name__}.kept names {name!r}, which is not an attribute of "
                    "the object: correct the name, or set the attribute in the constructor"
                )
            yield name, getattr(owner, name)
        return
    left_out = _left_out(type(owner))
    for name in (*_slots(type(owner)), *getattr(owner, "__dict__", ())):
        if name not in left_out and hasattr(owner, name):
            yield name, getattr(owner, name)


def _is_attribute(owner: Stateful, name: str) -> bool:
    """Return whether a checkpoint may set this attribute."""
    kept = vars(type(owner)).get("kept")
    if kept is not None:
        return name in kept
    own = name in _slots(type(owner)) or name in getattr(owner, "__dict__", ())
    new = name.isidentifier() and not hasattr(type(owner), name)
    return (own or new) and name not in _left_out(type(owner))


def _left_out(cls: type) -> set[str]:
    """Return the attributes that the class or one of its bases names in `derived`."""
    return {name for base in cls.__mro__ for name in vars(base).get("derived", ())}


def _slots(cls: type) -> list[str]:
    named = (vars(base).get("__slots__", ()) for base in cls.__mro__)
    every = ([slots] if isinstance(slots, str) else list(slots) for slots in named)
    return [slot for slots in every for slot in slots if slot not in ("__dict__", "__weakref__")]


def _described(value: Any) -> str:
    if isinstance(value, np.random.Generator):
        return (
            "it is a random generator, whose numbers depend on what was drawn before: use "
            "tick.rng in a Device, members.draws elsewhere"
        )
    if isinstance(value, np.ndarray):
        return f"it is an array of {value.dtype}"
    if callable(value):
        return "it is a function, and a checkpoint holds no code"
    return f"it is of the type {type(value).__name__}"
