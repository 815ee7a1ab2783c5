"""The receipt of one `write`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from operator import index

from gridsim.delivery.account import Fate
from gridsim.errors import printable

_printable = lru_cache(maxsize=64)(printable)
"""The same, kept for the few reasons that there are, because each reading has one."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The fate of some rows."""

    rows: int
    fate: Fate
    reason: str = ""
    """The reason why the rows were dropped; empty for another fate."""


class CountingReceipt:
    """A receipt that forwards the transport's reports and counts the remaining rows."""

    def __init__(
        self, rows: int, settle: Callable[[Settled], None], lag: Callable[[float], None]
    ) -> None:
        self.left = rows
        self._settle = settle
        self._lag = lag

    def delivered(self, rows: int) -> None:
        """Settle the next rows as delivered."""
        self._take(Settled(rows, "delivered"))

    def unconfirmed(self, rows: int) -> None:
        """Settle the next rows as unconfirmed."""
        self._take(Settled(rows, "unconfirmed"))

    def dropped(self, rows: int, reason: str) -> None:
        """Settle the next rows as dropped."""
        if not isinstance(reason, str) or not reason:
            raise TypeError(
                f"a receipt for dropped rows needs a reason, not {printable(repr(reason))}"
            )
        self._take(Settled(rows, "dropped", _printable(reason)))

    def lag(self, seconds: float) -> None:
        """Note how long the far end took to answer."""
        if not 0.0 <= float(seconds) < inf:
            raise ValueError(f"a receipt for a lag of {seconds} s")
        self._lag(float(seconds))

    def _take(self, settled: Settled) -> None:
        if not 0 <= index(settled.rows) <= self.left:
            raise ValueError(f"a receipt for {settled.rows} rows, but {self.left} are left")
        self.left -= settled.rows
        self._settle(settled)
