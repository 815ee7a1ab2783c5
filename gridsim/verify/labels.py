"""The faults behind a ledger's labels: a bit may stand for different faults at different ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.ledger.reader import FaultNote


class FaultLabels:
    """The faults of a run, by their bit and the tick in which a reading was sent."""

    def __init__(self, faults: Sequence[FaultNote]) -> None:
        self.ids = [fault.id for fault in faults]
        """The ids of the faults, by their index."""
        self._faults = faults
        self._breaks = np.unique([fault.since for fault in faults if fault.since > 0])

    def groups(
        self, labels: NDArray[np.uint64], left: NDArray[Any], of: str | None = None
    ) -> Iterator[tuple[str, NDArray[np.intp]]]:
        """Yield the rows of each combination of faults, with the faults' ids joined.

        `left` is the tick in which each row was sent; `of` limits the faults to device faults or
        message faults.
        """
        period = np.searchsorted(self._breaks, left, "right")
        for one in np.unique(period).tolist():
            first = int(self._breaks[one - 1]) if one else 0
            active = [
                fault
                for fault in self._faults
                if fault.since <= first
                and (fault.until is None or fault.until >= first)
                and (of is None or (fault.of == "message") == (of == "message"))
            ]
            known = np.uint64(sum(1 << fault.number for fault in active))
            rows = np.flatnonzero(period == one)
            masks = labels[rows] & known
            for mask in np.unique(masks).tolist():
                ids = [fault.id for fault in active if mask >> fault.number & 1]
                yield " + ".join(ids), rows[masks == np.uint64(mask)]
