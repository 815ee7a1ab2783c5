"""The result of the matching of arrivals with readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.shifts import Shift
from gridsim.verify.values import Ints

UNKNOWN: Final = 0
EXACT: Final = 1
"""The reading arrived as it was sent."""
ALTERED: Final = 2
"""A fault altered the reading's message, which arrived altered."""
CHANGED: Final = 3
"""The reading arrived with other values than were sent."""
AGAIN: Final = 4
"""A repetition of a reading that has already arrived."""
SHIFTED: Final = 5
"""The reading arrived as it was sent, but with another time."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """The reading of each arrival, and the way in which it was found."""

    reading: Ints
    """The index of the sent reading, int64[arrivals]; -1 if there is no match."""
    how: NDArray[np.int8]
    """One of UNKNOWN to SHIFTED, int8[arrivals]."""
    damaged: NDArray[np.bool_]
    """True if an arrival is not a whole record, bool[arrivals]."""
    arrived: NDArray[np.bool_]
    """True if a sent reading has arrived, bool[sent]."""
    shifts: Sequence[Shift] = ()
    """The differences of time that many arrivals share."""
    by: NDArray[np.int8] | None = None
    """The index in `shifts` of the shift by which an arrival was matched, or -1, int8[arrivals]."""
