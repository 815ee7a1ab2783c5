"""Where the time of a transport goes."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from gridsim.api import Batch, Format, Payloads
from gridsim.errors import GridsimError, PluginError


def _recent() -> deque[float]:
    return deque(maxlen=10_000)


@dataclass(slots=True)
class Timing:
    """Seconds; written by the worker's thread, read by anyone."""

    writing: float = 0.0
    """In the transport's `write`, encoding and waiting included."""
    computing: float = 0.0
    """Of that, on a processor."""
    late_batches: int = 0
    """Batches that were not settled when the next wake-up after theirs had come."""
    settled: deque[float] = field(default_factory=_recent)
    """From a batch's tick to the confirmation of all of it."""
    far_end: deque[float] = field(default_factory=_recent)
    """What the far end took to answer, where the transport can tell."""

    @property
    def waiting(self) -> float:
        """In `write`, but not computing: waiting for the far end (or for a processor)."""
        return max(self.writing - self.computing, 0.0)


def percentiles(seconds: deque[float]) -> tuple[float, float]:
    """The median and the 99th percentile; zeros of nothing."""
    if not seconds:
        return 0.0, 0.0
    p50, p99 = np.percentile(list(seconds), (50, 99))
    return float(p50), float(p99)


class TimedFormat(Format):
    """A format whose encoding time is measured, and which is named where it fails."""

    def __init__(self, name: str, format: Format) -> None:
        super().__init__(format.settings, format.framing, format.roster)
        self.header = format.header
        self.seconds = 0.0
        self._name = name
        self._format = format

    def encode(self, batch: Batch) -> Payloads:
        began = time.perf_counter()
        try:
            return self._format.encode(batch)
        except GridsimError:
            raise
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(f"the format {self._name!r} failed: {reason}") from error
        finally:
            self.seconds += time.perf_counter() - began
