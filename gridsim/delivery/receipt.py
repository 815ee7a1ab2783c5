"""The account of one `write`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index

from gridsim.delivery.tally import Fate


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of some rows."""

    rows: int
    fate: Fate
    reason: str = ""
    """Why they were dropped, if they were."""


class CountingReceipt:
    """Passes on what the transport says, and knows how many rows are left."""

    def __init__(
        self, rows: int, settle: Callable[[Settled], None], lag: Callable[[float], None]
    ) -> None:
        self.left = rows
        self._settle = settle
        self._lag = lag

    def delivered(self, rows: int) -> None:
        self._take(Settled(rows, "delivered"))

    def unconfirmed(self, rows: int) -> None:
        self._take(Settled(rows, "unconfirmed"))

    def dropped(self, rows: int, reason: str) -> None:
        self._take(Settled(rows, "dropped", reason))

    def lag(self, seconds: float) -> None:
        self._lag(float(seconds))

    def _take(self, settled: Settled) -> None:
        if not 0 <= index(settled.rows) <= self.left:
            raise ValueError(f"a receipt for {settled.rows} rows where {self.left} are left")
        self.left -= settled.rows
        self._settle(settled)
