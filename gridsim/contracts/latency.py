"""The latest durations, and a summary of durations that gives quantiles and merges exactly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_GROWTH = 1.02
"""The ratio of a bucket's upper bound to its lower one."""
_LEAST_S = 1e-6
"""Shorter durations count as zero."""
_RECENT = 10_000


class RecentDurations:
    """The last 10,000 durations, in seconds, in memory of a fixed size.

    An object for each would be small and stay for hours, each in the middle of memory that is
    otherwise free: the process could not return that memory.
    """

    def __init__(self) -> None:
        self._kept = np.zeros(_RECENT)
        self._count = 0

    def append(self, seconds: float) -> None:
        """Add a duration, in place of the oldest if there are as many as are kept."""
        self._kept[self._count % _RECENT] = seconds
        self._count += 1

    def clear(self) -> None:
        """Forget all durations."""
        self._count = 0

    def values(self) -> NDArray[np.float64]:
        """Return a copy of the durations, float64[n], the oldest first."""
        if (count := self._count) <= _RECENT:
            return self._kept[:count].copy()
        return np.roll(self._kept, -(count % _RECENT))

    def __len__(self) -> int:
        return min(self._count, _RECENT)

    def __iter__(self) -> Iterator[float]:
        return iter(self.values().tolist())


@dataclass(frozen=True, slots=True)
class LatencySketch:
    """Durations in buckets of constant relative width, after DDSketch.

    Quantiles are within 1 % of a value of that rank. Two sketches merge by adding their
    buckets, so merged shards give the same quantiles as a single run. Source: Masson, Rim
    and Lee, "DDSketch", Proceedings of the VLDB Endowment 12 (2019).
    """

    buckets: Mapping[int, int] = field(default_factory=dict)
    """The counts by bucket: bucket i holds durations up to 1.02^i microseconds; 0 holds zeros."""

    @classmethod
    def of(cls, seconds: RecentDurations | Iterable[float]) -> LatencySketch:
        """Return the sketch of some durations in seconds."""
        if isinstance(seconds, RecentDurations):
            values = seconds.values()
        else:
            values = np.fromiter(seconds, np.float64)
        scaled = np.maximum(values / _LEAST_S, 1.0)
        index = np.ceil(np.log(scaled) / math.log(_GROWTH)).astype(np.int64)
        found, counts = np.unique(index, return_counts=True)
        return cls(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def __len__(self) -> int:
        return sum(self.buckets.values())

    def __add__(self, other: LatencySketch) -> LatencySketch:
        return LatencySketch(dict(Counter(self.buckets) + Counter(other.buckets)))

    def quantile(self, share: float) -> float:
        """Return the duration in seconds below which `share` of all lie; 0 if there are none.

        Raises ValueError if `share` is not from 0 to 1.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"the share of a quantile must be from 0 to 1, not {share:g}")
        rank = share * (len(self) - 1)
        below = 0
        for bucket in sorted(self.buckets):
            below += self.buckets[bucket]
            if below > rank:
                # The middle of the bucket, so that the error is the same on both sides.
                return 0.0 if bucket == 0 else _LEAST_S * _GROWTH ** (bucket - 0.5)
        return 0.0
