"""The lengths of blocks of ticks, for plugins that compute several ticks at once.

A small fleet costs as much per call as a larger one: a call to NumPy takes a microsecond before it
computes anything. A block shares the calls among its ticks. A fleet with more rows than
`_CELLS` has nothing to gain, so its blocks have one tick. A block of `_CELLS` values takes a few
milliseconds, as a tick of a fleet of that size does, which is why the speed of a run does not
matter, and it holds some megabytes.
"""

from __future__ import annotations

from typing import Final

_CELLS: Final = 16_384
_MOST_TICKS: Final = 64


def has_block(plugin: type, base: type, single: str) -> bool:
    """Return true if `plugin` defines `block` for its own method `single`, such as `at`.

    The `block` of a class does not serve a subclass that overrides `single`.
    """
    for one in plugin.__mro__:
        if one is base:
            return False
        if "block" in vars(one):
            return True
        if single in vars(one):
            return False
    return False


class BlockLengths:
    """The length of each block of a plugin: 1, 2, 4 ... up to the most for its rows.

    The first tick of a run, or after a jump, therefore costs no more than without blocks, and a
    run of few ticks computes few in vain.
    """

    def __init__(self, rows: int, *, blocks: bool) -> None:
        """Take the number of sites or devices; without `blocks` the most is 1."""
        self.most = max(1, min(_MOST_TICKS, _CELLS // max(rows, 1))) if blocks else 1
        self._next = 1
        self._ends_at: int | None = None
        self._single_until: int | None = None

    def begin(self, tick: int) -> int:
        """Return the length of the block that begins at `tick`."""
        if tick != self._ends_at:
            self._next, self._single_until = 1, None
        if self._single_until is not None:
            if tick < self._single_until:
                self._ends_at = tick + 1
                return 1
            self._next, self._single_until = 1, None
        length = self._next
        self._next = min(2 * length, self.most)
        self._ends_at = tick + length
        return length

    def fail(self, tick: int, length: int) -> None:
        """Make blocks of one tick up to the end of the block at `tick`, which failed."""
        self._single_until = tick + length
        self._ends_at = tick
