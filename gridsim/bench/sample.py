"""A stopwatch and its readings."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """The duration of one measurement."""

    seconds: float
    cpu_s: float
    """The processor time of all threads of this process; the broker is a separate process."""


class Stopwatch:
    """A stopwatch that starts when it is created."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._began = time.perf_counter()

    def read(self) -> Sample:
        return Sample(time.perf_counter() - self._began, time.process_time() - self._cpu)
