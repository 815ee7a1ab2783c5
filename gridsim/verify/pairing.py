"""The pairing of equal keys in two large sets, in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.intp]

# The constants of SplitMix64 (Steele, Lea and Flood 2014): in its finalizer, every input bit
# affects all output bits.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST = np.uint64(31)


def keys_of(rows: int, columns: Iterable[NDArray[np.generic]]) -> Keys:
    """Return a 64-bit key for each row; the columns are read one by one.

    The probability that two different rows of ten million have the same key is about 3e-6.
    """
    key = np.zeros(rows, np.uint64)
    for column in columns:
        key ^= column.astype(np.int64).view(np.uint64)
        key += _GAMMA
        for shift, factor in _MIX:
            key ^= key >> shift
            key *= factor
        key ^= key >> _LAST
    return key


def pair(left: Keys, right: Keys) -> tuple[Rows, Rows]:
    """Return the rows of the pairs, left and right.

    For each key, the first row on the left is paired with the first on the right, the second with
    the second, and so on.
    """
    if not len(left) or not len(right):
        none = np.empty(0, np.intp)
        return none, none
    # Names are reused, so that these large arrays are not all in memory at the same time.
    left = keys_of(len(left), (left, _ranks(left)))
    right = keys_of(len(right), (right, _ranks(right)))
    order = np.argsort(right)
    right = right[order]
    place = np.searchsorted(right, left)
    np.minimum(place, len(order) - 1, out=place)
    hit = right[place] == left
    return np.flatnonzero(hit), order[place[hit]]


def pair_nearest(
    left: Keys, right: Keys, near: NDArray[np.int64], number: NDArray[np.int64]
) -> tuple[Rows, Rows]:
    """Return the rows of the pairs, left and right, if the right side may be in another order.

    Each row on the left, in turn, is paired with the row on the right that has the same key, is
    not paired yet, and whose number is closest to that of the left, `near`. Numbers ascend.
    """
    row_of = {one: row for row, one in enumerate(number.tolist())}
    free: dict[int, list[int]] = {}
    for one, key in zip(row_of, right.tolist(), strict=True):
        free.setdefault(key, []).append(one)
    rows, found = [], []
    for row, (key, place) in enumerate(zip(left.tolist(), near.tolist(), strict=True)):
        candidates = free.get(key)
        if not candidates:
            continue
        at = bisect_left(candidates, place)
        if at == len(candidates) or (at and place - candidates[at - 1] < candidates[at] - place):
            at -= 1
        rows.append(row)
        found.append(row_of[candidates.pop(at)])
    return np.array(rows, np.intp), np.array(found, np.intp)


def _ranks(keys: Keys) -> NDArray[np.int64]:
    """Return each row's rank among the rows with the same key, from 0."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.ones(len(keys), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    if first.all():
        return np.broadcast_to(np.int64(0), len(keys))
    starts = np.flatnonzero(first)
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
    return ranks
