"""Energy registers: the exact sums of power over ticks, in whole numbers."""

from __future__ import annotations

from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats, Stateful

Ints = NDArray[np.int64]

# Hundredths of a kW times milliseconds in a Wh.
_PER_WH: Final = 360_000
# A tick adds at most 1e11 hundredths of a kW, so this number of ticks cannot overflow.
_CARRY_TICKS: Final = 10_000_000
# Whole numbers up to this one, and their quotients rounded down, are exact as floats.
_EXACT: Final = 1 << 50


class Registers(Stateful):
    """An import and an export register for each of n meters; their readings never decrease.

    Each tick adds the power of the tick, rounded to 0.01 kW as it is reported, to whole numbers:
    there is no rounding error, and no overflow in the life of a meter. Whole Wh are carried to a
    separate column long before the sum of a power of 1e9 kW could overflow.
    """

    kept = ("_sums", "_wh", "_ticks")

    def __init__(self, n: int, tick_ms: int) -> None:
        common = gcd(_PER_WH, tick_ms)
        self._block = _PER_WH // common
        """The number of hundredths of a kW over a tick that are whole Wh."""
        self._block_wh = tick_ms // common
        """The whole Wh in a block."""
        self._sums = np.zeros((2, n), np.int64)
        """The sums of hundredths of a kW since the last carry: import, export."""
        self._wh = np.zeros((2, n), np.int64)
        """The Wh that were carried."""
        self._ticks = 0
        """The number of ticks since the last carry."""

    def add(self, exported: Ints) -> None:
        """Add a tick; `exported` is the power in hundredths of a kW, negative for import."""
        self._sums[0] -= np.minimum(exported, 0)
        self._sums[1] += np.maximum(exported, 0)
        self._ticks += 1
        if self._ticks >= _CARRY_TICKS:
            self._carry()

    def read(self, which: int) -> Floats:
        """Return the registers, float64[n], kWh, rounded to 1 Wh; 0 is import and 1 export."""
        sums = self._sums[which]
        # Half a Wh is rounded up: adding to a register then never lowers its reading.
        twice, most = 2 * self._block, 2 * self._block_wh * int(sums.max(initial=0))
        if most + twice < _EXACT and not self._wh[which].any():
            # The same in one division of floats, which is much faster: below 2**50 the quotient is
            # at least 1 / `twice` away from the next whole number, more than it is rounded by.
            wh: Floats = sums * (2.0 * self._block_wh)
            wh += self._block
            wh /= twice
            np.floor(wh, out=wh)
            wh /= 1000.0
            return wh
        blocks, rest = np.divmod(sums, self._block)
        part = (2 * rest * self._block_wh + self._block) // (2 * self._block)
        carried: Floats = (self._wh[which] + blocks * self._block_wh + part) / 1000.0
        return carried

    def _carry(self) -> None:
        blocks, rest = np.divmod(self._sums, self._block)
        self._wh += blocks * self._block_wh
        self._sums = rest
        self._ticks = 0


def hundredths(kw: Floats) -> Ints:
    """Return powers as whole hundredths of a kW, rounded as they are reported."""
    return np.rint(kw * 100.0).astype(np.int64)
