"""The account of one event: the sum of what its projects would have drawn without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.api import State
from gridsim.contracts.results import TrueReduction
from gridsim.contracts.state import restore_attributes, state_of
from gridsim.simulation.demand_response.occurrence import Occurrence
from gridsim.simulation.demand_response.settlement import Hundredths

_WAITS, _RUNS, _REBOUNDS, _DONE = range(4)
_MS_PER_HOUR = 3_600_000


class TruthAccount:
    """The sums of the reduction by an event, as columns with one entry per project.

    All sums are integers, in hundredths of a kW, of values rounded like the readings, so that
    they compare with those of a settlement.
    """

    _KEPT = ("name", "site", "_state", "_until_ms", "_true", "_rebound", "_ticks")

    def __init__(
        self, project_id: Sequence[str], tick_ms: int, rebound_ms: int, own: Occurrence | None
    ) -> None:
        """Begin the account of the occurrence `own`; if it is None, `restore` sets the state."""
        self._project_id, self._tick_ms, self._rebound_ms = project_id, tick_ms, rebound_ms
        self._own = own
        if own is None:
            return
        self.name, self.site = own.name, own.site
        n = len(own.site)
        self._state = np.full(n, _WAITS, np.int8)
        self._until_ms = np.zeros(n, np.int64)
        """The end of the rebound's window, UTC."""
        self._true: Hundredths = np.zeros(n, np.int64)
        self._rebound: Hundredths = np.zeros(n, np.int64)
        self._ticks = np.zeros(n, np.int64)
        """The number of ticks of the rebound so far."""

    @property
    def done(self) -> bool:
        return bool((self._state == _DONE).all())

    def state(self) -> State:
        """Return what a checkpoint keeps, between two ticks."""
        return state_of(self, self._KEPT)

    def restore(self, state: State, live: Sequence[Occurrence]) -> None:
        """Continue from a checkpoint's state; `live` are the occurrences that are not over."""
        restore_attributes(self, state, self._KEPT)
        self._own = next((own for own in live if own.name == self.name), None)

    def add(self, time_ms: int, reduced: Hundredths) -> list[TrueReduction]:
        """Add a tick's reduction, int64[sites]; return the results of projects that are done."""
        runs = np.zeros(len(self.site), np.bool_) if self._own is None else self._own.running
        mine = reduced[self.site]
        state = self._state
        state[runs] = _RUNS
        self._true += np.where(runs, mine, 0)
        ended = (state == _RUNS) & ~runs
        state[ended] = _REBOUNDS
        self._until_ms[ended] = time_ms + self._rebound_ms
        rebounds = state == _REBOUNDS
        counts = rebounds & (time_ms < self._until_ms)
        self._rebound += np.where(counts, mine, 0)
        self._ticks += counts
        results = self._finish(rebounds & (time_ms + self._tick_ms >= self._until_ms))
        if self._own is None or self._own.is_over:
            state[state == _WAITS] = _DONE
        return results

    def finish(self) -> list[TrueReduction]:
        """End the account at the run's end; return the results of all projects that took part."""
        return self._finish((self._state == _RUNS) | (self._state == _REBOUNDS))

    def _finish(self, rows: NDArray[np.bool_]) -> list[TrueReduction]:
        if not rows.any():
            return []
        self._state[rows] = _DONE
        hours = self._tick_ms / _MS_PER_HOUR
        return [
            TrueReduction(
                event=self.name,
                project_id=self._project_id[self.site[row]],
                true_kwh=int(self._true[row]) / 100 * hours,
                rebound_kwh=int(self._rebound[row]) / 100 * hours,
                rebound_s=int(self._ticks[row]) * self._tick_ms / 1000,
            )
            for row in np.flatnonzero(rows).tolist()
        ]
