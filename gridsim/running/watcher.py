"""The watcher, which detects the end of a run."""

from __future__ import annotations

import threading
from typing import Final

from gridsim.errors import GridsimError
from gridsim.running.driver import Driver
from gridsim.running.engine import Engine
from gridsim.running.memory import FreedMemory
from gridsim.running.workers import Workers, has_no_receiver

_LOOK_S: Final = 0.2


class Watcher:
    """A thread that ends a run when its ticks are done, a plugin hangs, or all transports fail.

    It also returns the memory that the run has freed.
    """

    def __init__(
        self,
        engine: Engine,
        driver: Driver | None,
        workers: Workers,
        hang_timeout_s: float,
        over: threading.Event,
    ) -> None:
        """Start nothing yet. `driver`: None with the manual clock. `over` is set at the end."""
        self.error: GridsimError | None = None
        """The reason why the run cannot continue, if it is not the engine's own error."""
        self._engine = engine
        self._driver = driver
        self._workers = workers
        self._hang_timeout_s = hang_timeout_s
        self._over = over
        self._thread = threading.Thread(target=self._watch, name="run", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, which ends when the run is over."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2 * _LOOK_S)

    def _watch(self) -> None:
        engine, limit_s = self._engine, self._hang_timeout_s
        freed = FreedMemory()
        while not engine.finished.wait(_LOOK_S) and not self._over.is_set():
            if has_no_receiver(self._workers.runners):
                break
            if self._driver is not None:
                self._driver.watch()
            freed.look()
            if stuck := engine.stuck_in(limit_s):
                self.error = GridsimError(f"{stuck} has not returned for {limit_s:g} s")
                break
        self._over.set()
