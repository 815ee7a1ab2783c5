"""The runs that have used a spool, and their batches as batches of the present run."""

from __future__ import annotations

from collections.abc import Iterator

from gridsim.api import Batch, Roster
from gridsim.contracts.tree_serial import SerialError
from gridsim.delivery.spool.file import AT, usable
from gridsim.delivery.spool.queue import SpooledBatch
from gridsim.delivery.spool.rosters import EarlierBatches
from gridsim.delivery.spool.store import SpoolStore
from gridsim.errors import UsageError


class Lives:
    """The reader of a spool's batches, of this run and of earlier ones."""

    def __init__(self, store: SpoolStore, roster: Roster, known_faults: int) -> None:
        """Raise UsageError if a waiting reading is of a device that is not in the roster.

        `known_faults`: the number of message faults of the configuration.
        """
        self._store = store
        self._roster = roster
        with usable(store.path):
            self._stored = store.waiting()
            self._earlier = {
                life: self._converter(life, known_faults)
                for life in sorted({one.life for one in self._stored} - {store.life})
            }

    def waiting(self, now: float) -> Iterator[SpooledBatch]:
        """Yield the batches that wait in the file, the oldest first.

        Readings of runs that this one does not continue get numbers below 0. `now`: monotonic
        seconds.
        """
        own = self._store.life
        number = -sum(one.rows - one.done for one in self._stored if one.life != own)
        for one in self._stored:
            first = one.number
            if one.life != own:
                first, number = number - one.done, number + one.rows - one.done
            yield SpooledBatch(one.seq, one.life, first, one.rows, one.done, one.charge, now)

    def load(self, entry: SpooledBatch) -> Batch:
        """Return the readings of a batch that are not settled.

        Raises SerialError or sqlite3.Error if they cannot be read.
        """
        earlier = self._earlier.get(entry.life)
        batch = self._store.load(entry.seq, self._roster if earlier is None else earlier.roster)
        if len(batch) != entry.rows:
            raise SerialError(f"the batch has {len(batch):,} readings, not {entry.rows:,}")
        if earlier is not None:
            batch = earlier.converted(batch, entry.number)
        return batch.rows(entry.done)

    def _converter(self, life: int, known_faults: int) -> EarlierBatches:
        path = self._store.path
        try:
            roster, faults = self._store.roster_of(life)
        except SerialError as error:
            raise UsageError(
                f"[transports.spool] path: error: {path} is damaged: {error}"
            ) from error
        known = known_faults if faults == self._store.faults else 0
        try:
            return EarlierBatches(roster, self._roster, known)
        except ValueError as error:
            readings = sum(one.rows - one.done for one in self._stored if one.life == life)
            raise UsageError(
                f"{AT}{readings:,} readings of an earlier run wait in "
                f"{path}, and a device of it is missing or different in this configuration: "
                f"{error}. Run the earlier configuration until they are sent, name another file, "
                "or delete this one and its readings"
            ) from error
