"""The fault schedule: the times at which a fault affects its members."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Keys, Stateful, Staying
from gridsim.contracts.results import Episode
from gridsim.helpers.randomness import mixed
from gridsim.simulation.scenario import FaultSpec

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_FOREVER: Final = np.iinfo(np.int64).max
# The draws of each hour have this many numbers; no rate needs as many.
_ROUNDS = 65_536

Rows = NDArray[np.intp]
Times = NDArray[np.int64]


class FaultSchedule(Stateful):
    """The affected members of one fault, from tick to tick.

    A member's times depend only on the seed, its key and simulated time.
    """

    derived = ("_spec", "_keys")
    indices = ("_affected",)

    def __init__(self, spec: FaultSpec, draws: Draws, start_ms: int) -> None:
        """Schedule a fault that does not begin before `start_ms`, UTC."""
        n = len(spec.members)
        self._spec, self._draws = spec, draws
        self._keys = spec.members.keys
        always = spec.schedule is None and not spec.per_day
        self.since_ms = np.full(n, start_ms, np.int64)
        self._until = np.full(n, _FOREVER if always else start_ms, np.int64)
        self._is_affected = np.full(n, always)
        self._affected: Rows = np.flatnonzero(self._is_affected)
        self._first_end: int = _FOREVER
        self._next = None if spec.schedule is None else spec.schedule.first_from(start_ms)
        self._onsets = _Onsets(draws, self._keys, spec.per_day, start_ms) if spec.per_day else None

    def advance(self, time_ms: int) -> list[Episode]:
        """End and begin episodes that are due by UTC `time_ms`; return those that ended."""
        ended: list[Episode] = []
        if time_ms >= self._first_end:
            over = self._affected[self._until[self._affected] <= time_ms]
            ended = self._episodes(over, self._until[over])
            self._is_affected[over] = False
        begun = self._scheduled(time_ms)
        if self._onsets is not None:
            members, onsets = self._onsets.until(time_ms)
            if len(members):
                self._begin(members, onsets, time_ms)
                begun = True
        if ended or begun:
            self._affected = np.flatnonzero(self._is_affected)
            self._first_end = int(self._until[self._affected].min(initial=_FOREVER))
        return ended

    def finish(self, time_ms: int) -> list[Episode]:
        """Return the episodes that the run's end at UTC `time_ms` cuts off."""
        return self._episodes(self._affected, np.full(len(self._affected), time_ms))

    @property
    def is_active(self) -> bool:
        """True if a member is affected now."""
        return bool(len(self._affected))

    @property
    def is_over(self) -> bool:
        """True if no member is affected now or later."""
        return not len(self._affected) and self._next is None and self._onsets is None

    def clear(self, devices: NDArray[np.bool_] | None, time_ms: int) -> list[Episode]:
        """End the fault at UTC `time_ms` on these devices, or on all; return the episodes.

        The fault may begin again later if it has a schedule or a rate.
        """
        members = self._affected
        if devices is not None:
            members = members[devices[self._spec.device[members]]]
        self._is_affected[members] = False
        self._until[members] = time_ms
        self._affected = np.flatnonzero(self._is_affected)
        self._first_end = int(self._until[self._affected].min(initial=_FOREVER))
        began = members[self.since_ms[members] < time_ms]
        return self._episodes(began, np.full(len(began), time_ms))

    @property
    def members(self) -> Rows:
        """The members that the fault may affect now, at any probability."""
        return self._affected

    def affected(self, time_ms: int) -> Rows:
        """Return the affected members in the tick at `time_ms`."""
        affected = self._affected
        return affected[self._hit(affected, time_ms)] if self._spec.probability < 1.0 else affected

    def affects(self, member: Rows, taken_ms: Times) -> NDArray[np.bool_]:
        """Return a mask of affected messages, given each message's member and reading time."""
        affected: NDArray[np.bool_] = self._is_affected[member]
        if self._spec.probability < 1.0:
            at = np.flatnonzero(affected)
            affected[at] = self._hit(member[at], taken_ms[at])
        return affected

    def _hit(self, member: Rows, slot: int | Times) -> NDArray[np.bool_]:
        hit: NDArray[np.bool_] = (
            self._draws.uniform("fault.strike", self._keys[member], slot) < self._spec.probability
        )
        return hit

    def _scheduled(self, time_ms: int) -> bool:
        begun = False
        schedule = self._spec.schedule
        while schedule is not None and self._next is not None and self._next <= time_ms:
            every = np.arange(len(self._keys))
            self._begin(every, np.full(len(every), self._next), time_ms)
            self._next = schedule.first_from(self._next + 1)
            begun = True
        return begun

    def _begin(self, members: Rows, onset_ms: Times, time_ms: int) -> None:
        """Begin the fault in the tick at `time_ms`, or extend it; it lasts at least that tick."""
        sampler = self._spec.duration_s
        assert sampler is not None
        keys = mixed(self._keys[members], onset_ms)
        duration_ms = sampler.sample(self._draws, "fault.duration", keys) * 1000.0
        until = time_ms + np.maximum(np.rint(duration_ms), 1.0).astype(np.int64)
        new = members[~self._is_affected[members]]
        self.since_ms[new] = time_ms
        self._is_affected[members] = True
        np.maximum.at(self._until, members, until)

    def _episodes(self, members: Rows, end_ms: Times) -> list[Episode]:
        spec, since_ms = self._spec, self.since_ms[members].tolist()
        return [
            Episode(spec.id, spec.members.ids[member], since, end)
            for member, since, end in zip(members.tolist(), since_ms, end_ms.tolist(), strict=True)
        ]


class _Onsets(Stateful):
    """Random onsets at a rate: a Poisson process for each key, drawn hour by hour.

    The gaps are exponential. A gap that crosses the end of an hour is drawn again, which does
    not change the process because it is memoryless.
    """

    kept = ("_hour", "_members", "_times")

    def __init__(self, draws: Draws, keys: Keys, per_day: float, start_ms: int) -> None:
        self._draws, self._keys = draws, keys
        self._mean_ms = _DAY_MS / per_day
        self._start_ms = start_ms
        self._hour = start_ms // _HOUR_MS - 1
        self._members: Rows = np.empty(0, np.intp)
        self._times: Times = np.empty(0, np.int64)

    def carry_over(self, older: _Onsets, staying: Staying) -> None:
        """Take over the onsets of the members that stay, and draw those of the others."""
        while self._hour < older._hour:
            self._hour += 1
            self._draw()
        self._hour = older._hour
        moved = staying.new_of_old[older._members]
        fresh = ~np.isin(self._members, staying.new)
        members = np.concatenate((moved[moved >= 0], self._members[fresh]))
        times = np.concatenate((older._times[moved >= 0], self._times[fresh]))
        order = np.argsort(times, kind="stable")
        self._members, self._times = members[order], times[order]

    def until(self, time_ms: int) -> tuple[Rows, Times]:
        """Return the members with an onset since the last call until `time_ms`, and the times."""
        while self._hour < time_ms // _HOUR_MS:
            self._hour += 1
            self._draw()
        due = int(np.searchsorted(self._times, time_ms, "right"))
        taken = self._members[:due], self._times[:due]
        self._members, self._times = self._members[due:], self._times[due:]
        return taken

    def _draw(self) -> None:
        """Add the present hour's onsets, without those before the start."""
        open = np.arange(len(self._keys))
        at = np.zeros(len(open))
        found = [(self._members, self._times)]
        number = self._hour * _ROUNDS
        while len(open):
            u = self._draws.uniform4("fault.onset", self._keys[open], number)
            times = at + np.cumsum(-np.log(u) * self._mean_ms, axis=0)
            within = times < _HOUR_MS
            member = np.broadcast_to(open, within.shape)[within]
            found.append((member, self._hour * _HOUR_MS + times[within].astype(np.int64)))
            at, open = times[-1][within[-1]], open[within[-1]]
            number += 1
        members = np.concatenate([members for members, _ in found])
        times_ms = np.concatenate([times for _, times in found])
        order = np.argsort(times_ms, kind="stable")
        order = order[times_ms[order] >= self._start_ms]
        self._members, self._times = members[order], times_ms[order]
