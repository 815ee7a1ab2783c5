"""All sources of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from loguru import logger

from gridsim.api import Acknowledgement
from gridsim.sources.worker import SourceWorker


class Sources:
    """The workers of all sources, started and ended together. None of them delays the run."""

    def __init__(self, workers: Sequence[SourceWorker]) -> None:
        self.workers = workers

    def start(self) -> None:
        """Start all workers."""
        for worker in self.workers:
            worker.start()

    def offer(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Give each worker the acknowledgements that are for its source."""
        if acknowledgements:
            for worker in self.workers:
                worker.offer(acknowledgements)

    def close(self) -> None:
        """Ask all workers to hand over the acknowledgements that wait, and to end."""
        for worker in self.workers:
            worker.close()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the workers to end and return whether all have; see `close`."""
        deadline = time.monotonic() + timeout_s
        hung = [one for one in self.workers if not one.wait(max(deadline - time.monotonic(), 0.0))]
        for worker in hung:
            logger.warning(
                "source {} did not stop in time; abandoning its thread. The totals leave out "
                "instructions that the source has not read, and answers that it may still send",
                worker.name,
            )
        return not hung
