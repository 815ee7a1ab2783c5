"""The time that a transport takes, by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format, Payloads
from gridsim.contracts.latency import RecentDurations
from gridsim.delivery.decorator import FormatDecorator, encoded_parts, innermost
from gridsim.delivery.payload_check import checked_payloads
from gridsim.delivery.sent import SentMessages
from gridsim.delivery.turn import Turn
from gridsim.errors import PluginError, failure, place_of

T = TypeVar("T")


@dataclass(slots=True)
class Timing:
    """Seconds; written by the worker's thread, read by any thread."""

    writing: float = 0.0
    """In the transport's `write`, encoding and waiting included."""
    computing: float = 0.0
    """The part of `writing` spent on a processor."""
    late_batches: int = 0
    """Batches that were not settled before the next wake-up."""
    settled: RecentDurations = field(default_factory=RecentDurations)
    """From a batch's offer to the confirmation of all of it."""
    far_end: RecentDurations = field(default_factory=RecentDurations)
    """From a write to the answer of the far end, if the transport measures it."""

    @property
    def waiting(self) -> float:
        """In `write`, but not computing: waiting for the far end (or for a processor)."""
        return max(self.writing - self.computing, 0.0)


def percentiles(seconds: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the 99th percentile of durations, float64[n]; zeros without any."""
    if not len(seconds):
        return 0.0, 0.0
    p50, p99 = np.percentile(seconds, (50, 99))
    return float(p50), float(p99)


class TimedFormat(FormatDecorator):
    """A format that measures its encoding time, checks its payloads, and names itself in errors."""

    def __init__(self, name: str, format: Format) -> None:
        super().__init__(format)
        self.seconds = 0.0
        self.sent: SentMessages | None = None
        """The trace of the messages; None: nothing is traced."""
        self.payloads = 0
        """The number of payloads so far; a batch that is written again counts again."""
        self.busy_with = ""
        """The format, while it encodes; for a watcher in another thread."""
        self.turn = Turn(0)
        """The turn of the run's threads."""
        self._title = f"the format {name!r}"

    def continue_timing(self, older: TimedFormat) -> None:
        """Count on from another format of the same transport."""
        self.seconds, self.payloads = older.seconds, older.payloads

    def encode(self, batch: Batch) -> Payloads:
        payloads = self._measured(lambda: self._checked(batch, self._format.encode(batch)))
        if self.sent is not None:
            self.sent.encoded(batch, payloads)
        return payloads

    def encode_parts(
        self, batch: Batch, rows: int | None = None
    ) -> Iterator[tuple[Batch, Payloads]]:
        parts = self._measured(lambda: iter(encoded_parts(self._format, batch, rows)))
        done = 0
        while (part := self._measured(lambda: next(parts, None))) is not None:
            own, payloads = self._checked_part(batch, done, part)
            done += len(own)
            if self.sent is not None:
                self.sent.encoded(own, payloads)
            yield own, payloads
        if done != len(batch):
            raise PluginError(
                f"{self._title} yielded parts of {done:,} readings for {len(batch):,}{self._place}"
            )

    def _checked_part(self, batch: Batch, done: int, part: object) -> tuple[Batch, Payloads]:
        if not (isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], Batch)):
            raise PluginError(
                f"{self._title} yielded {type(part).__name__} instead of a batch and its "
                f"Payloads{self._place}"
            )
        own, payloads = part
        if not len(own) or own.number != batch.number + done:
            raise PluginError(
                f"{self._title} yielded a part that does not follow the last one{self._place}"
            )
        return own, self._checked(own, payloads)

    def _checked(self, batch: Batch, payloads: Payloads) -> Payloads:
        checked = checked_payloads(self._title, self._format, batch, payloads)
        self.payloads += len(checked.bodies)
        return checked

    @property
    def _place(self) -> str:
        return place_of(innermost(self._format).encode_parts)

    def _measured(self, encode: Callable[[], T]) -> T:
        began = time.perf_counter()
        self.busy_with = self._title
        try:
            with self.turn.taken():
                began = time.perf_counter()
                return encode()
        except BaseException as error:
            raise failure(self._title, error, by=innermost(self._format).encode_parts) from error
        finally:
            self.busy_with = ""
            self.seconds += time.perf_counter() - began
