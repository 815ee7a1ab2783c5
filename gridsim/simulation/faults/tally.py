"""The results of faults: the readings of a tick, and the totals of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch
from gridsim.contracts.results import Episode


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """The readings of one tick after faults: those sent and those never sent."""

    batch: Batch
    unsent: Batch | None = None
    episodes: tuple[Episode, ...] = ()


@dataclass(slots=True)
class FaultTotals:
    """The effects of faults so far, in numbers of readings."""

    taken: int = 0
    """The readings that devices took, sent or not."""
    affected: int = 0
    """The readings, sent or lost, that a fault affected."""
    lost: int = 0
    """The readings that will never be sent."""
    late: int = 0
    """The readings that were sent in a later tick than the one in which they were taken."""
    altered: int = 0
    """The readings that were sent in a message whose text a fault alters."""
    repeated: int = 0
    """The additional copies that were sent."""

    def count_left(self, batch: Batch, tick: int, instruments: int = 0) -> None:
        """Count the readings that were sent; label bits of `instruments` are not faults."""
        labels = batch.labels
        assert labels is not None
        own = ~labels.copy
        self.affected += _count(own & (labels.faults & _faults(instruments) != 0))
        self.late += _count(own & (batch.tick < tick))
        self.altered += _count(own & (labels.altered >= 0))
        self.repeated += _count(labels.copy)

    def count_lost(self, batch: Batch, instruments: int = 0) -> None:
        assert batch.labels is not None
        self.lost += len(batch)
        self.affected += _count(batch.labels.faults & _faults(instruments) != 0)


def _faults(instruments: int) -> np.uint64:
    return ~np.uint64(instruments)


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
