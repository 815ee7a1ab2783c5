"""Rings: the means of columns over a fixed number of steps of simulated time."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gridsim.api import Floats


class Ring:
    """The means of `width` columns over the newest steps, in memory of constant size.

    Steps begin at the run's start. A step without a value is not in the result.
    """

    def __init__(
        self,
        start_ms: int,
        step_ms: int,
        length: int,
        width: int,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self._start_ms, self._step_ms = start_ms, step_ms
        self._step = np.full(length, -1, np.int64)
        """The number of the step in each place; -1: none."""
        self._mean = np.full((length, width), np.nan, dtype)
        self._newest = -1
        self._sum: Floats = np.zeros(width)
        self._count = 0

    def add(self, time_ms: NDArray[np.int64], values: Floats) -> None:
        """Add the values at ascending times: int64[k], float64[k, width]."""
        steps = (time_ms - self._start_ms) // self._step_ms
        begins = np.flatnonzero(np.diff(steps, prepend=-1 if not len(steps) else steps[0] - 1))
        sums = np.add.reduceat(values, begins, axis=0) if len(begins) else values
        counts = np.diff(begins, append=len(steps))
        for step, total, count in zip(steps[begins].tolist(), sums, counts.tolist(), strict=True):
            if step != self._newest:
                self._newest, self._sum, self._count = step, np.zeros_like(self._sum), 0
            self._sum = self._sum + total
            self._count += count
            place = step % len(self._step)
            self._step[place] = step
            self._mean[place] = self._sum / self._count

    def read(self) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
        """Return the beginnings of the steps, UTC ms, ascending, and their means."""
        length = len(self._step)
        places = np.flatnonzero((self._step >= 0) & (self._step > self._newest - length))
        places = places[np.argsort(self._step[places])]
        return self._start_ms + self._step[places] * self._step_ms, self._mean[places]

    def tail(self, columns: NDArray[np.intp]) -> NDArray[np.floating]:
        """Return some columns of all steps up to the newest, [columns, length]; NaN: no value."""
        length = len(self._step)
        result = np.full((len(columns), length), np.nan, self._mean.dtype)
        steps = np.arange(self._newest - length + 1, self._newest + 1)
        places = steps % length
        known = (steps >= 0) & (self._step[places] == steps)
        result[:, known] = self._mean[np.ix_(places[known], columns)].T
        return result
