"""The joining of lists that are in the same order."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    """Entries with the same key, of one list or of several."""

    rank: tuple[Any, int]
    entries: list[tuple[int, T]] = field(default_factory=list)
    after: list[_Node[T]] = field(default_factory=list)
    """The next entries of the lists."""
    waits: int = 0
    """The number of entries that come before."""


def woven(
    lists: Sequence[Sequence[T]],
    key: Callable[[T], Hashable],
    rank: Callable[[T], Any] = lambda _: 0,
) -> list[list[tuple[int, T]]]:
    """Join lists so that each keeps its order; entries of several lists with equal keys coincide.

    Returns the entries that coincide, each after the place of its list. Where the lists leave the
    order open, the entry of the lowest rank comes first, then that of the earlier list.
    """
    nodes: dict[tuple[Hashable, int], _Node[T]] = {}
    for place, entries in enumerate(lists):
        seen: Counter[Hashable] = Counter()
        before: _Node[T] | None = None
        for entry in entries:
            own = key(entry)
            node = nodes.setdefault((own, seen[own]), _Node((rank(entry), len(nodes))))
            seen[own] += 1
            node.entries.append((place, entry))
            if before is not None:
                before.after.append(node)
                node.waits += 1
            before = node
    joined = []
    left = {id(node): node for node in nodes.values()}
    ready = [(node.rank, id(node)) for node in nodes.values() if not node.waits]
    heapq.heapify(ready)
    while left:
        # Lists that contradict each other leave no entry that is first in all of them.
        first = heapq.heappop(ready)[1] if ready else min(left, key=lambda own: left[own].rank)
        if first not in left:
            continue
        node = left.pop(first)
        joined.append(node.entries)
        for later in node.after:
            later.waits -= 1
            if not later.waits and id(later) in left:
                heapq.heappush(ready, (later.rank, id(later)))
    return joined
