"""Blocks of ticks, for plugins that compute several ticks at once.

A small fleet costs as much per call as a larger one: a call to NumPy takes a microsecond before it
computes anything. A block shares the calls among its ticks. A fleet with more rows than half of
`_CELLS` has nothing to gain, so its blocks have one tick. A block of `_CELLS` values takes a few
milliseconds, as a tick of a fleet of that size does, which is why the speed of a run does not
matter, and it holds some megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from gridsim.errors import PluginError

T = TypeVar("T")

_CELLS: Final = 16_384
_MOST_TICKS: Final = 64


class LookAhead(Generic[T]):
    """The results of the ticks to come, computed in blocks of 1, 2, 4 ... ticks.

    The first tick of a run, or after a jump, therefore costs no more than without blocks, and a
    run of few ticks computes few in vain.
    """

    def __init__(self, rows: int, *, blocks: bool = True) -> None:
        """Take the number of sites or devices; without `blocks` each block has one tick."""
        self.most = max(1, min(_MOST_TICKS, _CELLS // max(rows, 1))) if blocks else 1
        self._first = 0
        self._results: Sequence[T] = ()
        self._length = 1
        self._single_until: int | None = None

    def at(self, tick: int, make: Callable[[int, int], Sequence[T]], limit: int = _MOST_TICKS) -> T:
        """Return the result of a tick.

        `make` returns the results of a block from the tick and number of ticks given to it;
        `limit` is the largest number now. If it raises PluginError for several ticks, the error
        belongs to one of them, so each is then computed when it comes.
        """
        if 0 <= tick - self._first < len(self._results):
            return self._results[tick - self._first]
        if tick != self._first + len(self._results):
            self.forget()
        self._first, self._results = tick, ()
        if self._single_until is not None and tick >= self._single_until:
            self._single_until = None
        if self._single_until is None and (length := min(self._length, limit)) > 1:
            try:
                self._results = make(tick, length)
            except PluginError:
                self._length, self._single_until = 1, tick + length
        if not self._results:
            self._results = make(tick, 1)
        if self._single_until is None:
            self._length = min(2 * self._length, self.most)
        return self._results[0]

    def forget(self) -> None:
        """Forget the results, and begin with a short block again."""
        self._results, self._length, self._single_until = (), 1, None
