"""The differences of a comparison by device and time: the worst devices, and the times of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gridsim.ledger.columns import Ints
from gridsim.report.bins import Bins
from gridsim.verify.differences import KINDS, UNEXPLAINED, DifferenceKind, Differences
from gridsim.verify.times import NO_TIME


@dataclass(frozen=True, slots=True)
class Strip:
    """The times of the differences of one kind, explained or not."""

    kind: DifferenceKind
    explained: bool
    causes: Counter[str]
    counts: Ints
    """The number of differences in each interval."""


def worst_devices(differences: Differences) -> Ints:
    """Return the devices with differences: those with the most unexplained ones come first."""
    devices = len(differences.project)
    none = np.zeros(devices + 1, np.int64)
    by_device = differences.by_device
    total = sum((by_device[kind] for kind in KINDS if kind in by_device), none)[:devices]
    unexplained = by_device.get(UNEXPLAINED, none)[:devices]
    order = np.lexsort((-total, -unexplained))
    ranked: Ints = order[total[order] > 0]
    return ranked


def count_of(differences: Differences, device: int) -> tuple[int, int]:
    """Return the number of differences of a device, and of the unexplained ones among them."""
    counts = {name: int(counts[device]) for name, counts in differences.by_device.items()}
    return sum(counts.get(kind, 0) for kind in KINDS), counts.get(UNEXPLAINED, 0)


def spans_of(differences: Differences, devices: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return the first and last time of the differences of each device, UTC ms.

    If a device has unexplained differences, only these count.
    """
    explained: dict[int, tuple[int, int]] = {}
    unexplained: dict[int, tuple[int, int]] = {}
    for one in differences.located:
        found = unexplained if one.cause == UNEXPLAINED else explained
        known = one.time_ms != NO_TIME
        for device in devices:
            times = one.time_ms[known & (one.device == device)]
            if len(times):
                low, high = found.get(device, (int(times[0]), int(times[0])))
                found[device] = min(low, int(times.min())), max(high, int(times.max()))
    return {**explained, **unexplained}


def strips(differences: Differences, bins: Bins, device: int | None = None) -> list[Strip]:
    """Return the times of all differences, or of those of a device; unexplained ones first.

    The differences of a device are limited to those within the intervals.
    """
    found: dict[tuple[DifferenceKind, bool], Strip] = {}
    for one in differences.located:
        time_ms = one.time_ms
        if device is not None:
            time_ms = time_ms[(one.device == device) & bins.index(time_ms)[1]]
        if not len(time_ms):
            continue
        key = one.kind, one.cause != UNEXPLAINED
        strip = found.setdefault(key, Strip(*key, Counter(), np.zeros(bins.count, np.int64)))
        strip.causes[one.cause] += len(time_ms)
        index, there = bins.index(time_ms[time_ms != NO_TIME])
        np.add.at(strip.counts, index[there], 1)
    return sorted(found.values(), key=lambda one: (one.explained, KINDS.index(one.kind)))


def rows_of(differences: Differences) -> Iterator[tuple[DifferenceKind, str, int, int]]:
    """Yield all differences: kind, cause, device and time; unexplained ones first."""
    for one in sorted(differences.located, key=lambda one: one.cause != UNEXPLAINED):
        for device, time_ms in zip(one.device.tolist(), one.time_ms.tolist(), strict=True):
            yield one.kind, one.cause, device, time_ms
