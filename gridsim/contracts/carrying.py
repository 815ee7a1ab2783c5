"""The state of members that stay when a run's configuration is reloaded.

After a reload a new object has other members than the older one. The members in both keep their
state; the others have the state that the new object begins with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.state import (
    ARGUMENTS,
    State,
    Stateful,
    Tree,
    attributes_of,
    decoded,
    encoded,
    keeps_state,
)


@dataclass(frozen=True, slots=True, eq=False)
class Staying:
    """The members that stay: their indices in a new object and in the older one, ascending in
    `new`."""

    new: NDArray[np.intp]
    """intp[k], the indices in the new object."""
    old: NDArray[np.intp]
    """intp[k], the indices of the same members in the older object."""
    new_count: int
    """The number of members of the new object."""
    old_count: int

    @classmethod
    def of(cls, old_index: NDArray[np.intp], old_count: int) -> Staying:
        """Return the members that stay; `old_index` has -1 for members that are new, intp[n]."""
        new = np.flatnonzero(old_index >= 0)
        return cls(new, old_index[new], len(old_index), old_count)

    @property
    def all_alike(self) -> bool:
        """True if all members stay in the same places, and none is new."""
        same = len(self.new) == self.new_count == self.old_count
        return same and bool((self.new == self.old).all())

    @property
    def new_of_old(self) -> NDArray[np.intp]:
        """The index in the new object of each older member, intp[old_count]; -1: it left."""
        places = np.full(self.old_count, -1, np.intp)
        places[self.old] = self.new
        return places

    def within(self, new_member: NDArray[np.intp], old_member: NDArray[np.intp]) -> Staying:
        """Return the same for parts of members, such as the planes of a solar array.

        `new_member`, intp[parts], and `old_member` have the member to which each part belongs. A
        member that stays has the same parts in the same order.
        """
        old_of_new = np.full(self.new_count, -1, np.intp)
        old_of_new[self.new] = self.old
        before = old_of_new[new_member]
        part_of = np.full(self.old_count + 1, -1, np.intp)
        part_of[old_member] = np.arange(len(old_member))
        if (part_of[old_member] == np.arange(len(old_member))).all() and len(
            np.unique(new_member)
        ) == len(new_member):
            return Staying.of(part_of[before], len(old_member))
        first: dict[int, list[int]] = {}
        for part, member in enumerate(old_member.tolist()):
            first.setdefault(member, []).append(part)
        taken: dict[int, int] = {}
        places = np.full(len(new_member), -1, np.intp)
        for part, member in enumerate(before.tolist()):
            number = taken.get(member, 0)
            if number < len(first.get(member, ())):
                places[part] = first[member][number]
                taken[member] = number + 1
        return Staying.of(places, len(old_member))

    def places(self, new: NDArray[np.intp], old: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return indices of members after the reload: `old` without those that left, and `new`
        without those that stay."""
        moved = self.new_of_old[old]
        fresh = np.setdiff1d(new, self.new)
        return np.union1d(moved[moved >= 0], fresh).astype(old.dtype, copy=False)


def carry(new: Any, older: Any, staying: Staying) -> None:
    """Give the members of `new` that stay the state that they have in `older`.

    Both keep their state and are of the same class. An object with other members calls its own
    method `carry_over(older, staying)`, if its class has one. Raises StateError.
    """
    if staying.all_alike:
        new.restore(older.state())
        return
    own = getattr(new, "carry_over", None)
    if callable(own):
        own(older, staying)
    elif isinstance(new, Stateful):
        carry_attributes(new, older, staying)
    else:
        new.restore(carried(new.state(), older.state(), staying))


def carry_attributes(
    new: Stateful, older: Stateful, staying: Staying, names: Iterable[str] | None = None
) -> None:
    """Copy attributes for the members that stay, by default all that a checkpoint keeps.

    The members are the last axis of an array, or its first one, or the items of a list. Other
    values are those of `older`. Attributes named in `indices` hold indices of members.
    """
    kept = dict(attributes_of(older))
    for name in kept if names is None else names:
        value, present = kept[name], getattr(new, name)
        if isinstance(value, ARGUMENTS):
            continue
        if name in type(new).indices:
            setattr(new, name, staying.places(present, value))
        elif keeps_state(value) and keeps_state(present):
            carry(present, value, staying)
        elif not keeps_state(value) and not (value is None and keeps_state(present)):
            where = f"{type(new).__name__}.{name}"
            tree = carried(encoded(present, where), encoded(value, where), staying)
            setattr(new, name, decoded(tree, present, type(new), where))


def carried_array(new: NDArray[Any], old: NDArray[Any], staying: Staying) -> NDArray[Any]:
    """Return `new` with the values of `old` for the members that stay; they are the last axis."""
    result = new.copy()
    result[..., staying.new] = old[..., staying.old]
    return result


def carried(new: Tree, old: Tree, staying: Staying) -> Tree:
    """Return the state `old`, with the places of the members as in `new`."""
    if isinstance(old, np.ndarray):
        return _array(new, old, staying)
    if isinstance(old, list):
        return _items(new, old, staying)
    if not isinstance(old, dict):
        return old
    if len(old) == 1:
        ((tag, content),) = old.items()
        if tag.startswith("$"):
            same = new.get(tag) if isinstance(new, dict) else None
            return {tag: _tagged(tag, same, content, staying)}
    before: State = new if isinstance(new, dict) else {}
    return {name: carried(before.get(name), one, staying) for name, one in old.items()}


def _array(new: Tree, old: NDArray[Any], staying: Staying) -> Tree:
    for axis in (-1, 0):
        if not old.ndim or old.shape[axis] != staying.old_count:
            continue
        shape = [*old.shape]
        shape[axis] = staying.new_count
        if isinstance(new, np.ndarray) and new.shape == tuple(shape):
            result = new.copy()
        elif isinstance(new, np.ndarray) and new.shape == old.shape:
            continue
        else:
            # The new object has no such values yet.
            result = np.full(shape, np.nan if old.dtype.kind == "f" else 0, old.dtype)
        target = (..., staying.new) if axis == -1 else (staying.new,)
        source = (..., staying.old) if axis == -1 else (staying.old,)
        result[target] = old[source]
        return result
    has_members = isinstance(new, np.ndarray) and new.ndim and new.shape[-1] == staying.new_count
    return new if has_members and new.shape != old.shape else old  # type: ignore[union-attr]


def _items(new: Tree, old: list[Tree], staying: Staying) -> list[Tree]:
    """Return a list; one with as many items as members has an item for each of them."""
    if len(old) != staying.old_count:
        return _each(new, old, staying)
    if not isinstance(new, list) or len(new) != staying.new_count:
        return _each(new, old, staying)
    items = [*new]
    for place, before in zip(staying.new.tolist(), staying.old.tolist(), strict=True):
        items[place] = old[before]
    return items


def _each(new: Tree, old: list[Tree], staying: Staying) -> list[Tree]:
    fresh = [*new] if isinstance(new, list) else []
    fresh += [None] * (len(old) - len(fresh))
    return [carried(one, before, staying) for one, before in zip(fresh, old, strict=False)]


def _tagged(tag: str, new: Any, old: Any, staying: Staying) -> Any:
    match tag, old:
        case "$tuple", list():
            return _each(new, old, staying)
        case "$deque", [maxlen, list(items)]:
            return [maxlen, _each(new[1] if new else None, items, staying)]
        case "$dict", list(pairs):
            fresh = {repr(key): value for key, value in new or ()}
            return [[key, carried(fresh.get(repr(key)), one, staying)] for key, one in pairs]
        case "$dataclass", [name, dict(columns)]:
            before = new[1] if new and new[0] == name else None
            return [name, carried(before, columns, staying)]
    return old
