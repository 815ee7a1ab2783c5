"""The readings of a device from before it was opened, read from the run's ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from gridsim.ledger import NotALedger, Reader
from gridsim.ledger.past import PastReading
from gridsim.running.monitor.recorder import POINTS

_WRITTEN_S = 0.4
"""The longest wait for the ledger, which is written shortly after each tick."""
_LOOK_S = 0.05
_READ_S = 0.4
"""The time limit of reading."""


class DevicePast:
    """A reader of a device's readings in the last 900 ticks. Used from several threads."""

    def __init__(self, ledger: Path | None) -> None:
        self._ledger = ledger

    def __call__(self, der_id: str, last: int) -> Sequence[PastReading]:
        """Return the readings up to the tick `last` that the ledger has by now."""
        if self._ledger is None or last < 0:
            return ()
        until = time.monotonic() + _WRITTEN_S
        try:
            while True:
                with Reader(self._ledger) as reader:
                    [(written,)] = reader.rows("SELECT coalesce(max(tick), -1) FROM batches")
                    if written >= last or reader.complete or time.monotonic() >= until:
                        device = reader.device(der_id)
                        if device is None:
                            return ()
                        return reader.past(device, last - POINTS + 1, last, _READ_S)
                time.sleep(_LOOK_S)
        except NotALedger:
            return ()  # the run itself reports what is wrong with its ledger
