"""What faults have done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch
from gridsim.contracts.results import Episode


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What one tick's readings became."""

    batch: Batch
    unsent: Batch | None = None
    episodes: tuple[Episode, ...] = ()


@dataclass(slots=True)
class FaultTotals:
    """What faults have done so far, in readings."""

    taken: int = 0
    """Those that devices took, whatever became of them."""
    touched: int = 0
    """Those that have left, or never will, and that a fault had a hand in."""
    lost: int = 0
    """Those that will never leave."""
    late: int = 0
    """Those that left in a later tick than the one they were taken in."""
    altered: int = 0
    """Those that left in a message whose text a fault alters."""
    repeated: int = 0
    """Copies that left besides."""

    def count_left(self, batch: Batch, tick: int) -> None:
        labels = batch.labels
        assert labels is not None
        own = ~labels.copy
        self.touched += _count(own & (labels.faults != 0))
        self.late += _count(own & (batch.tick < tick))
        self.altered += _count(own & (labels.altered >= 0))
        self.repeated += _count(labels.copy)

    def count_lost(self, batch: Batch) -> None:
        assert batch.labels is not None
        self.lost += len(batch)
        self.touched += _count(batch.labels.faults != 0)


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
