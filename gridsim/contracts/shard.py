"""Shards: the parts of one run that separate processes or machines simulate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import ValidationInfo

SHARD: Final = "shard"
"""The key of the shard in the context of a validation."""

_TEXT = re.compile(r"([+-]?\d{1,9})/([+-]?\d{1,9})", re.ASCII)
_PLACEHOLDER = re.compile(r"(?<!\{)\{shard\}(?!\})")
# An id is unique in the run, and each project is in one shard.
_UNIQUE = re.compile(r"(?<!\{)\{(?:project_id|der_id)\}(?!\})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the parts of a run, each with some of the projects."""

    index: int
    """The number of the part, from 0."""
    count: int
    """The number of parts."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a run has at least 1 shard, not {self.count}")
        if not 0 <= self.index < self.count:
            last = self.count - 1
            among = f"0 to {last}" if last else "0"
            raise ValueError(
                f"there is no shard {self.index}: with {self.count} in all, shards are numbered "
                f"{among}"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard of a text such as `0/4`. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("must be INDEX/COUNT, such as 0/4 for the first of 4 shards")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """The value of the placeholder `{shard}`, such as `0-of-4`."""
        return f"{self.index}-of-{self.count}"

    @property
    def is_whole(self) -> bool:
        """True if there is no other shard."""
        return self.count == 1

    def fill(self, text: str) -> str:
        """Return a text with the value of the placeholder `{shard}`."""
        return _PLACEHOLDER.sub(self.name, text)

    def has_own(self, text: str) -> bool:
        """Return whether a text that was filled differs from that of each other shard."""
        return self.is_whole or self.name in text or _UNIQUE.search(text) is not None


WHOLE: Final = Shard(0, 1)
"""The only shard of a run that is not divided."""


class EveryShard(Shard):
    """All shards together, as the process that drives them names their files: with a `*`."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return "*"


EVERY: Final = EveryShard(0, 1)


def shard_of(info: ValidationInfo) -> Shard:
    """Return the shard for which a configuration is validated."""
    shard = (info.context or {}).get(SHARD)
    return shard if isinstance(shard, Shard) else WHOLE


def projects_of(shard: Shard, devices: Sequence[int]) -> range:
    """Return the indices of the projects of a shard.

    `devices` has the number of devices of each project. Shards have consecutive projects, at least
    one each, and about the same number of devices. Raises ValueError if there are fewer projects
    than shards.
    """
    projects = len(devices)
    if projects < shard.count:
        raise ValueError(
            f"{shard.count:,} shards need at least {shard.count:,} projects, and the configuration "
            f"has {projects:,}"
        )
    total = np.concatenate(([0], np.cumsum(np.asarray(devices, np.int64))))
    wanted = total[-1] * np.arange(1, shard.count) / shard.count
    above = np.searchsorted(total, wanted)
    below = np.maximum(above - 1, 0)
    nearest = np.where(wanted - total[below] <= total[above] - wanted, below, above)
    # At least one project for each shard before a boundary, and for each one after it.
    place = np.arange(1, shard.count)
    cuts = np.maximum.accumulate(nearest - place) + place
    cuts = np.minimum(np.maximum(cuts, place), projects - shard.count + place)
    bounds = [0, *cuts.tolist(), projects]
    return range(bounds[shard.index], bounds[shard.index + 1])
