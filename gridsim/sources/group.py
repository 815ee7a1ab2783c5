"""All sources of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from loguru import logger

from gridsim.api import Acknowledgement
from gridsim.sources.worker import SourceWorker


class Sources:
    """Starts, feeds and ends the workers. None of them ever holds up the run."""

    def __init__(self, workers: Sequence[SourceWorker]) -> None:
        self.workers = workers

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    def offer(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        if acknowledgements:
            for worker in self.workers:
                worker.offer(acknowledgements)

    def close(self) -> None:
        """Asks all to tell what is still to be told, and to end."""
        for worker in self.workers:
            worker.close()

    def wait(self, timeout_s: float) -> bool:
        """Whether all have come to their end in time; see `close`."""
        deadline = time.monotonic() + timeout_s
        hung = [one for one in self.workers if not one.wait(max(deadline - time.monotonic(), 0.0))]
        for worker in hung:
            logger.warning("source {} has not returned and is left behind", worker.name)
        return not hung
