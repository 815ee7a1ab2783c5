"""The recorder of one watched device: its true and its reported columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Floats
from gridsim.contracts.truth import TickTruth
from gridsim.ledger.columns import NONE, Ints
from gridsim.ledger.past import PastReading

POINTS = 900
_SCALE = {"current_output": 100, "power_meter_measurement": 100, "current_soc": 10}
"""The columns of a ledger, each with the factor of its integers."""
_NOT_SENT = (NONE, NONE, NONE)
_DIGITS = {"current_output": 2, "power_meter_measurement": 2, "current_soc": 1}


class ReadingRecorder:
    """The last 900 readings of a device; a place per reading, in a ring.

    Readings from the ledger may precede the recorded ones.
    """

    def __init__(self, device: int, site: int, digits: Mapping[str, int]) -> None:
        """Record nothing yet; `digits` are the decimals of the type's further columns."""
        self.device = device
        self._site = site
        self._digits = {**_DIGITS, **digits}
        self._extra = tuple(digits)
        self._tick = np.full(POINTS, -1, np.int64)
        self._time_ms = np.zeros(POINTS, np.int64)
        self._true = {name: np.full(POINTS, np.nan) for name in self._digits}
        self._reported = {name: np.full(POINTS, np.nan) for name in self._digits}
        self._faults = np.zeros(POINTS, np.bool_)
        self._instruments = 0
        self._count = 0
        self._past_ms = np.empty(0, np.int64)
        self._past_faults = np.empty(0, np.bool_)
        self._past = [{name: np.empty(0) for name in self._digits} for _ in ("true", "reported")]

    def precede(self, past: Sequence[PastReading], time_ms: Ints) -> None:
        """Take the readings before those that are recorded, with their times."""
        self._past_ms = time_ms
        self._past_faults = np.array([one.faulty for one in past], np.bool_)
        for side, rows in zip(
            self._past,
            ([one.true for one in past], [one.sent or _NOT_SENT for one in past]),
            strict=True,
        ):
            side.update((name, np.full(len(past), np.nan)) for name in self._extra)
            values = np.array(rows, np.int64).reshape(-1, len(_SCALE))
            for column, (name, scale) in zip(values.T, _SCALE.items(), strict=True):
                side[name] = np.where(column == NONE, np.nan, column / scale)

    def take(self, tick: int, time_ms: int, truth: TickTruth) -> None:
        """Add a reading of the device with its true values."""
        place = self._count % POINTS
        self._count += 1
        self._tick[place], self._time_ms[place] = tick, time_ms
        values = {
            "current_output": truth.output_kw[self.device],
            "power_meter_measurement": truth.load_kw[self._site],
            "current_soc": truth.soc[self.device],
            **{name: truth.extra[name][self.device] for name in self._extra},
        }
        for name, value in values.items():
            self._true[name][place] = round(float(value), self._digits[name]) + 0.0
            self._reported[name][place] = np.nan
        self._instruments = truth.instruments
        # Until a message with the reading is found, a fault holds it back.
        self._faults[place] = True

    def report(self, batch: Batch, row: int, *, sent: bool) -> None:
        """Take a row of a batch: a reading that was sent or, with `sent` false, one that never will
        be.
        """
        labels = batch.labels
        if labels is not None and labels.copy[row]:
            return
        [places] = np.nonzero(self._tick == batch.tick[row])
        if not len(places):
            return
        place = int(places[0])
        if labels is not None:
            faults = int(labels.faults[row]) & ~self._instruments
            self._faults[place] = bool(faults) or labels.altered[row] >= 0
        else:
            self._faults[place] = False
        if not sent:
            self._faults[place] = True
            return
        for name in _DIGITS:
            self._reported[name][place] = getattr(batch, name)[row]
        for name in self._extra:
            self._reported[name][place] = batch.extra[name][row]

    def columns(self) -> tuple[Ints, dict[str, Floats], dict[str, Floats], NDArray[np.bool_]]:
        """Return times, true columns, reported columns and faults, the oldest first."""
        first = max(self._count - POINTS, 0)
        places = np.arange(first, self._count) % POINTS
        early = slice(max(len(self._past_ms) + len(places) - POINTS, 0), None)
        true, reported = (
            {name: np.append(past[name][early], column[places]) for name, column in own.items()}
            for past, own in zip(self._past, (self._true, self._reported), strict=True)
        )
        return (
            np.append(self._past_ms[early], self._time_ms[places]),
            true,
            reported,
            np.append(self._past_faults[early], self._faults[places]),
        )
