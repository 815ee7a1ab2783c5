"""The line of each arrival in its source, stored compactly because most lines are consecutive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.verify.values import Ints


class ArrivalLines:
    """The lines of arrivals, by their place in the order of arrival."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        """The place of the first arrival of each part."""
        self._parts: list[int | NDArray[np.int32] | Ints] = []
        """The lines of each part; the first line number if they are consecutive."""
        self._rows = 0

    def append(self, line: Ints) -> None:
        """Append the lines of the next arrivals."""
        if not len(line):
            return
        first, last = int(line[0]), int(line[-1])
        if last - first == len(line) - 1 and (np.diff(line) == 1).all():
            before = self._parts[-1] if self._parts else None
            if not isinstance(before, int) or before + self._rows - self._firsts[-1] != first:
                self._firsts.append(self._rows)
                self._parts.append(first)
        else:
            self._firsts.append(self._rows)
            self._parts.append(line.astype(np.int32) if int(line.max()) < 2**31 else line)
        self._rows += len(line)

    def at(self, places: Ints) -> Ints:
        """Return the lines of the arrivals at some places."""
        found = np.zeros(len(places), np.int64)
        of = np.searchsorted(np.array(self._firsts, np.int64), places, side="right") - 1
        for index in np.unique(of).tolist():
            part, rows = self._parts[index], np.flatnonzero(of == index)
            within = places[rows] - self._firsts[index]
            found[rows] = part + within if isinstance(part, int) else part[within]
        return found
