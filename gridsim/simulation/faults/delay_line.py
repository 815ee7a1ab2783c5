"""The delay line: the rows that leave in a tick, in order, and the rows held back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import SENT, STORED, Roster, Stateful, Tick
from gridsim.simulation.faults.messages import Transit
from gridsim.simulation.faults.rows import Held, MessageRows, everything, in_order, joined, repeated


class DelayLine(Stateful):
    """Rows held back: stored by devices, delayed in transit, or waiting to be overtaken."""

    kept = ("_stored", "_delayed", "_overtaken")

    def __init__(self, roster: Roster) -> None:
        self._n = len(roster)
        self._stored, self._delayed, self._overtaken = Held(roster), Held(roster), Held(roster)

    @property
    def stored(self) -> NDArray[np.int64]:
        """int64[devices]: the number of readings that each device stores."""
        return self._stored.count

    @property
    def waiting(self) -> NDArray[np.int64]:
        """int64[devices]: the number of each device's messages that wait to be overtaken."""
        return self._overtaken.count

    def from_devices(self, rows: MessageRows, leaves: NDArray[np.int8]) -> MessageRows:
        """Return the rows that devices send in a tick with the readings `rows`.

        A device that sends a reading first sends its stored readings, oldest first.
        """
        sent = rows.where(leaves == SENT)
        late = self._stored.take_of(sent.batch.device)
        self._stored.add(rows.where(leaves == STORED))
        return joined([in_order(joined(late)), sent]) if late else sent

    def leave(self, tick: Tick, transit: Transit) -> MessageRows:
        """Return the rows that leave, in order: late, present, overtaken, repeated."""
        arrived = self._delayed.take(lambda rows: rows.due_ms <= tick.time_ms)
        self._delayed.add(transit.rows.where(transit.is_delayed))
        straight = transit.rows.where(transit.goes)
        overtaken = self._passed_by(transit, straight)
        is_late = straight.batch.tick < tick.index
        parts = [straight]
        if arrived or is_late.any():
            late = joined([*arrived, straight.where(is_late)])
            parts = [in_order(late), straight.where(~is_late)]
        if overtaken:
            parts.append(in_order(joined(overtaken)))
        leaving = joined(parts)
        twice = leaving.copies > 1
        if twice.any():
            leaving = joined([leaving, repeated(in_order(leaving.where(twice)))])
        return leaving

    @property
    def faults(self) -> int:
        """The labels of all rows that are held back, combined."""
        held = (self._stored, self._delayed, self._overtaken)
        return int(np.bitwise_or.reduce([store.faults for store in held]))

    def rest(self) -> list[MessageRows]:
        """Remove and return all rows that are held back."""
        held = (self._stored, self._delayed, self._overtaken)
        return [rows for store in held for rows in store.take(everything)]

    def _passed_by(self, transit: Transit, straight: MessageRows) -> list[MessageRows]:
        """Return the messages that are overtaken in this tick; the others keep waiting."""
        before = self._overtaken.take_of(straight.batch.device)
        overtaken = np.flatnonzero(transit.is_overtaken)
        if not len(overtaken):
            return before
        # The last message of each device that is sent at once: the last assignment wins.
        last = np.full(self._n, -1, np.intp)
        last[straight.batch.device] = np.flatnonzero(transit.goes)
        passes = last[transit.rows.batch.device[overtaken]] > overtaken
        self._overtaken.add(transit.rows.pick(overtaken[~passes]))
        return [*before, transit.rows.pick(overtaken[passes])]
