"""Appliances that switch on and off: the part of a household load that is not smooth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Draws, Floats, Keys, Stateful

# Power in kW, duration in ms, share of the year's energy, and slots per duration: kettle,
# oven and hob, washing and dishwasher, dryer, television, lamps. A slot has at most one start;
# more slots make the starts more random.
_KW = np.array([1.9, 1.6, 2.0, 2.4, 0.16, 0.11])
_DURATION_MS = np.array([150_000, 1_500_000, 1_200_000, 2_700_000, 7_200_000, 5_400_000])
_SHARE = np.array([0.10, 0.16, 0.12, 0.08, 0.16, 0.16])
_SLOTS = np.array([2, 4, 4, 4, 4, 4])
_SLOT_MS = _DURATION_MS // _SLOTS
_KINDS = len(_KW)
# A refrigerator of 90 W, in a home of 4000 kWh a year, runs 35 % of the time.
_FRIDGE_CYCLE_MS, _FRIDGE_ON = 2_400_000, 0.35
_FRIDGE_KW_PER_KWH = 0.09 / 4000.0

# The number of pairs of kind and site that are computed together: they fit the CPU cache.
_BLOCK = 4096

# The longest time by which slots are computed ahead: shorter than a slot, so that none is skipped.
_MAX_LOOKAHEAD_MS = 60_000

SMOOTH_SHARE = 1.0 - float(_SHARE.sum())
"""The share of the load that is smooth; the refrigerator is part of it."""

Expectation = Callable[[NDArray[np.intp], NDArray[np.int64]], Floats]
"""The expected load, kW, of sites by index at UTC times in ms; both [k, m]."""


class Appliances(Stateful):
    """The appliances of n sites, as a function of (seed, site, time).

    The starts of each kind are drawn per site and slot of time. Their rate is proportional to the
    expected load, so that the mean power equals it by construction.
    """

    kept = (
        "_next",
        "_power",
        "_sum",
        "_computed_until",
        "_upcoming",
        "_next_kw",
        "_next_at",
        "_done",
    )

    def __init__(self, keys: Keys, draws: Draws, annual_kwh: Floats, expect: Expectation) -> None:
        self._keys, self._draws, self._expect = keys, draws, expect
        n = len(keys)
        phases = [draws.uniform("household/phase", keys, kind) for kind in range(_KINDS)]
        phase = np.stack(phases) * _SLOT_MS[:, None]
        self._phase: NDArray[np.int64] = phase.astype(np.int64).reshape(-1)
        self._next = np.full(_KINDS * n, np.iinfo(np.int64).min)
        self._power = np.zeros((_KINDS, n))
        self._sum = np.zeros(n)
        per_ms = n * float((1.0 / _SLOT_MS).sum())
        self._horizon_ms = int(min(_BLOCK / max(per_ms, 1e-9), _MAX_LOOKAHEAD_MS))
        self._computed_until = np.iinfo(np.int64).min
        self._upcoming = np.zeros(0, np.intp)
        self._next_kw = np.zeros(0)
        self._next_at = np.zeros(0, np.int64)
        self._done = 0
        fridge = draws.uniform("household/fridge", keys) * _FRIDGE_CYCLE_MS
        self._fridge_phase = fridge.astype(np.int64)
        self._fridge_kw = annual_kwh * _FRIDGE_KW_PER_KWH

    def excess(self, time_ms: int) -> Floats:
        """Return their power at UTC `time_ms` beyond the smooth share, float64[n], kW.

        It may be negative, by at most the mean power of the refrigerator. Times must not decrease.
        """
        reached = int(np.searchsorted(self._next_at, time_ms, side="right"))
        if reached > self._done:
            new = slice(self._done, reached)
            self._apply(self._upcoming[new], self._next_kw[new])
            self._done = reached
        if time_ms >= self._computed_until:
            due = np.flatnonzero(self._next <= time_ms)
            self._apply(due, self._powers(due, time_ms))
            self._look_ahead(time_ms)
        on = (time_ms + self._fridge_phase) % _FRIDGE_CYCLE_MS < _FRIDGE_ON * _FRIDGE_CYCLE_MS
        excess: Floats = self._sum + self._fridge_kw * (on - _FRIDGE_ON)
        return excess

    def _look_ahead(self, time_ms: int) -> None:
        """Compute the slots that begin soon together: a few cost as much as thousands."""
        until = time_ms + self._horizon_ms
        coming = np.flatnonzero(self._next < until)
        order = np.argsort(self._next[coming], kind="stable")
        self._upcoming = coming[order]
        self._next_at = self._next[self._upcoming]
        self._next_kw = self._powers(self._upcoming, self._next_at)
        self._done = 0
        self._computed_until = until

    def _apply(self, due: NDArray[np.intp], power_kw: Floats) -> None:
        """Set the power of pairs of kind and site that enter new slots."""
        n = len(self._keys)
        self._power.reshape(-1)[due] = power_kw
        if len(due):
            self._add_up(np.unique(due % n))

    def _powers(self, due: NDArray[np.intp], time_ms: int | NDArray[np.int64]) -> Floats:
        """Return the power of pairs of kind and site in the slots at their times, kW."""
        times = np.broadcast_to(time_ms, due.shape)
        parts = [
            self._powers_in_block(due[i : i + _BLOCK], times[i : i + _BLOCK])
            for i in range(0, len(due), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _powers_in_block(self, due: NDArray[np.intp], time_ms: NDArray[np.int64]) -> Floats:
        n = len(self._keys)
        kind, site = due // n, due % n
        length, phase = _SLOT_MS[kind], self._phase[due]
        slot = (time_ms - phase) // length
        self._next[due] = (slot + 1) * length + phase
        back = np.arange(int(_SLOTS.max()))
        recent = slot[:, None] - back
        # The rate is that at the middle of the pulse, so that the mean does not lag.
        middle = recent * length[:, None] + (phase + _DURATION_MS[kind] // 2)[:, None]
        sites = np.broadcast_to(site[:, None], middle.shape)
        slots = _SLOTS[kind]
        rate = (_SHARE / _KW)[kind, None] * self._expect(sites, middle) / slots[:, None]
        keys = self._keys[site][:, None]
        u = self._draws.uniform("household/start", keys, recent * _KINDS + kind[:, None])
        # Where one start per slot is too few, the appliance is larger instead.
        starts = np.where((u < rate) & (back < slots[:, None]), np.maximum(rate, 1.0), 0.0)
        running = starts[:, 0] + starts[:, 1] + starts[:, 2] + starts[:, 3]
        power: Floats = running * _KW[kind]
        return power

    def _add_up(self, site: NDArray[np.intp]) -> None:
        # Sum all kinds in a fixed order: running totals would depend on the past.
        total = np.zeros(len(site))
        for row in self._power:
            total += row[site]
        self._sum[site] = total
