"""Pairs the equal ones of two large sets of keys, in order."""

from __future__ import annotations

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


def keys_of(*columns: NDArray[np.generic]) -> Keys:
    """One 64-bit key per row. Of ten million rows, two different ones share theirs with a
    probability of about 3e-6."""
    key = np.zeros(len(columns[0]), np.uint64)
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
    ours, theirs = keys_of(left, _ranks(left)), keys_of(right, _ranks(right))
    order = np.argsort(theirs)
    place = np.searchsorted(theirs, ours, sorter=order)
    found = order[np.minimum(place, len(order) - 1)]
    hit = theirs[found] == ours
    return np.flatnonzero(hit), found[hit]


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
