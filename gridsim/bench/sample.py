"""A stopwatch, and what it read."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """How long one measurement took."""

    seconds: float
    cpu_s: float
    """On a processor, all threads of this process; the broker is another."""


class Stopwatch:
    """Runs from its making."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._began = time.perf_counter()

    def read(self) -> Sample:
        return Sample(time.perf_counter() - self._began, time.process_time() - self._cpu)
