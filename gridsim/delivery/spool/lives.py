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
        self._known_faults = known_faults
        with usable(store.path):
            self._stored = store.waiting()
            if any(not 0 <= one.done < one.rows or one.charge < 0 for one in self._stored):
                raise SerialError("its numbers contradict each other")
            kinds = sorted({(one.life, one.roster) for one in self._stored})
            self._earlier = {
                (life, number): self._converter(life, number)
                for life, number in kinds
                if life != store.life or store.roster(number) is not roster
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
            origin = one.life, one.roster
            yield SpooledBatch(one.seq, origin, first, one.rows, one.done, one.charge, now)

    def load(self, entry: SpooledBatch) -> Batch:
        """Return the readings of a batch that are not settled.

        Raises SerialError or sqlite3.Error if they cannot be read.
        """
        earlier = None if entry.origin is None else self._earlier.get(entry.origin)
        batch = self._store.load(entry.seq, None if earlier is None else earlier.roster)
        if len(batch) != entry.rows:
            raise SerialError(f"the batch has {len(batch):,} readings, not {entry.rows:,}")
        if earlier is not None:
            batch = earlier.converted(batch, entry.number)
        return batch.rows(entry.done)

    def _converter(self, life: int, number: int) -> EarlierBatches:
        same = self._store.faults_of(life) == self._store.faults
        roster = self._store.roster(number)
        try:
            return EarlierBatches(roster, self._roster, self._known_faults if same else 0)
        except ValueError as error:
            origin = life, number
            readings = sum(
                one.rows - one.done for one in self._stored if (one.life, one.roster) == origin
            )
            raise UsageError(
                f"{AT}{readings:,} readings of an earlier run wait in {self._store.path}, and a "
                f"device of it is missing or different in this configuration: {error}. Run the "
                "earlier configuration until they are sent, name another file, or delete this one "
                "and its readings"
            ) from error
