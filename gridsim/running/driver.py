"""The driver, which runs the ticks of an engine in real time or one after the other."""

from __future__ import annotations

import threading

from gridsim.running.clock import Clock
from gridsim.running.engine import Engine


class Driver:
    """The threads in which an engine runs by itself: the clock's, or a single thread at speed 0.

    Called by one thread at a time.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock = Clock(engine.run_due, engine.until_next_wake)
        self._free: threading.Thread | None = None

    def go(self) -> None:
        """Start ticks at the engine's present speed, after a start, a pause or a change of
        speed.
        """
        self.settle()
        if self._engine.interval_s:
            self._clock.start()
            return
        self._clock.stop()
        if self._free is None:
            self._free = threading.Thread(target=self._engine.run_free, name="engine", daemon=True)
            self._free.start()

    def settle(self) -> None:
        """Wait for the thread of speed 0 if the engine is paused or has a pace.

        A thread that is about to end would otherwise look like one that keeps running.
        """
        leaves = self._engine.is_paused or self._engine.interval_s
        if self._free is not None and (leaves or not self._free.is_alive()):
            self._free.join()
            self._free = None

    def watch(self) -> None:
        """Reset the clock's schedule if the wall clock jumped; called a few times a second."""
        if self._engine.interval_s:
            self._clock.watch()

    def stop(self) -> None:
        """Stop the clock; a tick that runs goes on."""
        self._clock.stop()
