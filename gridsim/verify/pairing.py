"""Pairs the equal ones of two large sets of keys, in order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.intp]

# Of SplitMix64 (Steele, Lea and Flood 2014), whose finalizer spreads every bit over all.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST = np.uint64(31)


def keys_of(rows: int, columns: Iterable[NDArray[np.generic]]) -> Keys:
    """One 64-bit key per row; the columns are taken one by one.

    Of ten million rows, two different ones share theirs with a probability of about 3e-6.
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
    """Which of the left and which of the right belong together: the first of those with a key
    on the left with the first on the right, the second with the second, and so on."""
    if not len(left) or not len(right):
        none = np.empty(0, np.intp)
        return none, none
    # Names are used again, so that not all of these large arrays are there at the same time.
    left = keys_of(len(left), (left, _ranks(left)))
    right = keys_of(len(right), (right, _ranks(right)))
    order = np.argsort(right)
    right = right[order]
    place = np.searchsorted(right, left)
    np.minimum(place, len(order) - 1, out=place)
    hit = right[place] == left
    return np.flatnonzero(hit), order[place[hit]]


def _ranks(keys: Keys) -> NDArray[np.int64]:
    """The how manieth of its key each is, from 0."""
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
