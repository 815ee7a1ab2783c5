"""The small fluctuation of a home's power between switching events.

A home's power changes in nearly every minute. In the measured house near Paris (one-minute means,
`benchmarks/realism/data`), the standard deviation within a quarter of an hour without switching is
2 W at 210 W and 7 to 8 W above 600 W; the voltage changes by 0.3 % from minute to minute, which
changes the power of resistive loads by twice that. In the reference profile CHR01 of
LoadProfileGenerator, which has measured courses of devices, the median change in a minute is 5 W
at 100 W. Five measured homes in Britain (`benchmarks/realism/data`) are calmer: rounded to 10 W,
0.39 to 0.72 of their minutes are as the minute before, and 0.06 to 0.36 of that house near Paris.
The values here give homes of both kinds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys

SHARE = 0.006
"""The standard deviation over the power."""
_OF_BASE, _SCATTER = 0.03, 0.7
"""The standard deviation of the standby over its power: the median of the homes, and the
deviation of its logarithm between them."""
_MOST_OF_BASE = 0.12
_UNIT = 2.0**-20
_PERIOD_S = 1 << 15
"""The fluctuation repeats after nine hours, and starts at another point in each home."""
_TIMES_S = np.array([15.0, 90.0, 900.0])
"""The correlation decays with these times, in equal parts."""
_LAG_S = 2.0
"""The power follows with this time constant: supplies of electronics have storage, and the voltage
moves slowly. Means of a minute hardly have less of it, steps of a second half."""
_LIMIT = 2.5


class Fluctuation:
    """The fluctuation of n homes, whose integral over any tick is exact.

    Like the powers it is made of integers, so it does not depend on the order of a sum.
    """

    def __init__(
        self, keys: Keys, draws: Draws, standby_mw: NDArray[np.int64], calm: Floats
    ) -> None:
        """Take the standby of homes, and `calm`: 1, or less for a site of many households."""
        u = draws.uniform("household/fluctuation", keys)
        self._offset_s: NDArray[np.int64] = (u * _PERIOD_S).astype(np.int64)
        scatter = np.exp(_SCATTER * draws.normal("household/fluctuation of standby", keys))
        own = standby_mw * np.minimum(_OF_BASE * scatter, _MOST_OF_BASE)
        self.standby: NDArray[np.int64] = np.rint(own / SHARE).astype(np.int64)
        """The power that fluctuates as much as the standby does, mW."""
        self._calm = calm if bool((calm < 1.0).any()) else None
        self._value, self._sum = _table()

    def until(
        self, time_ms: int | NDArray[np.int64], home: NDArray[np.int32] | None = None
    ) -> NDArray[np.int64]:
        """Return the integral up to UTC `time_ms` of one watt's fluctuation; [n], or of `home`.

        For times int64[k, 1] it is int64[k, n].
        """
        offset = self._offset_s if home is None else self._offset_s[home]
        second, part = divmod(time_ms, 1000)
        place = offset + second
        place &= _PERIOD_S - 1
        integral = self._sum.take(place)
        # Most ticks end at whole seconds.
        if not isinstance(part, int) or part:
            integral += self._value.take(place) * part
        return integral

    def mean_mw(self, energy: NDArray[np.int64], ms: int) -> Floats:
        """Return the mean of the fluctuation, mW; `energy` is the integral of power times
        fluctuation.
        """
        mean: Floats = np.multiply(energy, _UNIT / ms)
        return mean if self._calm is None else mean * self._calm


@cache
def _table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the fluctuation by second, in `_UNIT`, and its integral up to each second."""
    frequency = np.fft.rfftfreq(_PERIOD_S)
    turn = 2.0 * np.pi * frequency[:, None] * _TIMES_S
    spectrum = (_TIMES_S / (1.0 + turn * turn)).sum(axis=1)
    spectrum /= 1.0 + (2.0 * np.pi * frequency * _LAG_S) ** 2
    white = Draws(0).normal("household/fluctuation", np.arange(_PERIOD_S, dtype=np.uint64))
    noise = np.fft.irfft(np.fft.rfft(white) * np.sqrt(spectrum), _PERIOD_S)
    noise = np.clip((noise - noise.mean()) / noise.std(), -_LIMIT, _LIMIT)
    value = np.rint(noise * (SHARE / _UNIT)).astype(np.int64)
    # A sum of zero lets the integral repeat.
    each, rest = divmod(int(value.sum()), _PERIOD_S)
    value -= each
    value[:rest] -= 1
    before = np.concatenate([[0], np.cumsum(value)[:-1]])
    return value, before * 1000
