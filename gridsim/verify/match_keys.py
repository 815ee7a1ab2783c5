"""The keys by which arrivals are compared with readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.fields import BIT, SEQ
from gridsim.verify.pairing import Keys, Rows, keys_of
from gridsim.verify.sent import Sent
from gridsim.verify.shifts import Shift

KeyOf = Callable[[Sent | Arrivals, Rows], Keys]
"""A function that makes the keys of rows of either side."""

_VALUES: Final = {
    "is_online": "online",
    "current_output": "output",
    "power_meter_measurement": "meter",
    "baseline": "baseline",
    "current_soc": "soc",
    SEQ: "seq",
}
"""The fields whose values distinguish readings, with their columns."""


class MatchKeys:
    """The keys that can be made from the fields of the user's data."""

    def __init__(self, kept: np.uint16) -> None:
        self.values = [column for name, column in _VALUES.items() if int(kept) & BIT[name]]
        """The columns whose values distinguish readings."""
        self.has_since = bool(int(kept) & BIT["connection_start_at"])

    def of(self, *names: str) -> KeyOf:
        """Return a function that makes keys of these columns."""

        def make(side: Sent | Arrivals, rows: NDArray[np.intp]) -> Keys:
            return keys_of(len(rows), (getattr(side, name)[rows] for name in names))

        return make

    def exact(self) -> KeyOf:
        """Return a function that makes keys of all columns of a reading."""
        since = ["since_ms"] if self.has_since else []
        return self.of("device", "time_ms", *self.values, *since)

    def shifted(self, shift: Shift, *names: str) -> KeyOf:
        """Return a function that makes keys of these columns and of the time after a shift."""

        def make(side: Sent | Arrivals, rows: NDArray[np.intp]) -> Keys:
            time = side.time_ms[rows]
            columns = (getattr(side, name)[rows] for name in names)
            return keys_of(
                len(rows), (shift.of(time) if isinstance(side, Sent) else time, *columns)
            )

        return make
