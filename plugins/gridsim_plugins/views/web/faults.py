"""The faults that are active, by the entries of the run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from gridsim.api import Snapshot
from gridsim_plugins.views.web.models import ActiveFault

KEPT: Final = 1000
_BEGINS = ("injected", "begins")


class ActiveFaults:
    """The faults that began and have not ended, as far as the entries show. Used from several
    threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: OrderedDict[str, ActiveFault] = OrderedDict()
        self._noted = -1

    def note(self, snapshot: Snapshot) -> None:
        """Read the new entries."""
        with self._lock:
            for entry in snapshot.entries:
                if entry.number <= self._noted or entry.kind != "fault":
                    continue
                if entry.state in _BEGINS:
                    self._active[entry.subject] = ActiveFault(
                        entry.subject, entry.time_ms, entry.end_ms, entry.text
                    )
                else:
                    self._active.pop(entry.subject, None)
            if snapshot.entries:
                self._noted = max(self._noted, snapshot.entries[-1].number)
            over = [
                id
                for id, fault in self._active.items()
                if fault.end_ms is not None and fault.end_ms <= snapshot.time_ms
            ]
            for id in over:
                del self._active[id]
            while len(self._active) > KEPT:
                self._active.popitem(last=False)

    def active(self) -> list[ActiveFault]:
        """Return them, the oldest first."""
        with self._lock:
            return list(self._active.values())
