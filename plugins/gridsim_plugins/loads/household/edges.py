"""Edges: the steps of the homes' power in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Steps of the power of homes, as columns. Powers are whole milliwatts.

    Sums of integers do not depend on their order, so the power of a home does not depend on the
    order in which its steps were added.
    """

    time_ms: NDArray[np.int64]
    home: NDArray[np.int32]
    step_mw: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.time_ms)

    def where(self, rows: NDArray[Any]) -> Edges:
        """Return some of the edges, by index or mask."""
        return Edges(self.time_ms[rows], self.home[rows], self.step_mw[rows])

    def since(self, row: int) -> Edges:
        """Return a copy of the edges from this index on, which does not keep the others alive."""
        return Edges(self.time_ms[row:].copy(), self.home[row:].copy(), self.step_mw[row:].copy())


def joined(parts: Sequence[Edges]) -> Edges:
    """Return all edges of the parts."""
    if not parts:
        return Edges(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32))
    return Edges(
        np.concatenate([one.time_ms for one in parts]),
        np.concatenate([one.home for one in parts]),
        np.concatenate([one.step_mw for one in parts]),
    )
