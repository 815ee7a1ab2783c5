"""A recording: a file or a ledger, as batches with the moments at which they are played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from gridsim.api import Batch, Roster
from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.ledger.columns import NONE
from gridsim.ledger.windows import Window
from gridsim.play.batches import TextMover, batch_of, times_known
from gridsim.play.moments import Moments
from gridsim.play.records import RecordReader
from gridsim.play.survey import RecordingSurvey
from gridsim.verify.values import Ints

_WINDOW_ROWS = 20_000


class Recording(Protocol):
    """A source of recorded readings that can be read again and again."""

    @property
    def survey(self) -> RecordingSurvey:
        """The extent of the recording."""

    def parts(self, shift_s: int) -> Iterator[tuple[Ints, Batch]]:
        """Yield all readings from the first one on, each part with its moments, ms since 1970.

        Times are moved by `shift_s` seconds, moments are not. Raises UsageError.
        """


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFile:
    """The readings of an export."""

    reader: RecordReader
    survey: RecordingSurvey

    def parts(self, shift_s: int) -> Iterator[tuple[Ints, Batch]]:
        roster, kind = self.survey.roster, self.survey.kind
        index = {der_id: place for place, der_id in enumerate(roster.der_id)}
        mover = TextMover(self.reader, kind, shift_s) if shift_s else None
        left = self.survey.readings
        read = ((part.time_ms, part) for part in self.reader.parts())
        for moments, part in Moments().of(read):
            if not left:
                return
            batch = batch_of(times_known(part, self.reader.time), roster, index)
            # A file that has grown since is played as far as it was surveyed.
            batch, moments = batch.rows(0, left), moments[:left]
            left -= len(batch)
            if mover is not None:
                moved = batch.timestamp_ms + shift_s * 1000
                batch = replace(batch, timestamp_ms=moved, texts=mover(batch.texts))
            yield moments, batch
        if left:
            raise UsageError(f"{self.reader.path}: error: the file has changed while it was played")


@dataclass(frozen=True, slots=True, eq=False)
class RecordedLedger:
    """The sent readings of a ledger, with the values that were sent, in their order."""

    path: Path
    survey: RecordingSurvey

    @classmethod
    def of(cls, path: Path) -> RecordedLedger:
        """Open a ledger. Raises UsageError if it is not one, or has no readings."""
        with Reader(path) as reader:
            projects = reader.rows(
                "SELECT project_id, standalone, threshold FROM projects ORDER BY project"
            )
            devices = reader.rows(
                "SELECT der_id, project, type, nameplate FROM devices ORDER BY device"
            )
            [(first, last, count)] = reader.rows(
                "SELECT min(tick), max(tick), sum(rows) FROM batches WHERE rows > 0"
            )
            start_ms, tick_ms = reader.meta["start_ms"], reader.meta["tick_ms"]
        if not count:
            raise UsageError(f"{path}: error: there are no readings")
        roster = Roster(
            der_id=[row[0] for row in devices],
            project=np.array([row[1] for row in devices], np.intp),
            type=[row[2] for row in devices],
            nameplate_capacity=np.array([row[3] / 100 for row in devices]),
            project_id=[row[0] for row in projects],
            is_standalone=np.array([bool(row[1]) for row in projects]),
        )
        thresholds = {row[0]: row[2] / 100 for row in projects}
        first_ms, last_ms = (start_ms + tick * tick_ms for tick in (first, last))
        return cls(
            path, RecordingSurvey(roster, thresholds, count, first_ms, last_ms, tick_ms, 0, "")
        )

    def parts(self, shift_s: int) -> Iterator[tuple[Ints, Batch]]:
        roster = self.survey.roster
        threshold = np.array([self.survey.thresholds[one] for one in roster.project_id])
        with ExitStack() as stack:
            reader = stack.enter_context(Reader(self.path))
            start_ms, tick_ms = reader.meta["start_ms"], reader.meta["tick_ms"]
            for window in reader.windows(_WINDOW_ROWS):
                batch = _batch(window, roster, threshold)
                moved = replace(batch, timestamp_ms=batch.timestamp_ms + shift_s * 1000)
                yield start_ms + window.batch * tick_ms, moved


def _batch(window: Window, roster: Roster, threshold: np.ndarray) -> Batch:
    device = window.device.astype(np.intp)
    return Batch(
        roster=roster,
        device=device,
        tick=window.tick,
        timestamp_ms=window.sent_ms,
        is_online=window.online,
        current_output=window.sent_output / 100,
        power_meter_measurement=window.sent_meter / 100,
        baseline=window.baseline / 100,
        contract_threshold=threshold[roster.project[device]],
        connection_start_ms=window.since_ms,
        current_soc=np.where(window.sent_soc == NONE, np.nan, window.sent_soc / 10),
    )
