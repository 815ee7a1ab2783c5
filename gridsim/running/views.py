"""The views of a run, called on a separate thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from loguru import logger

from gridsim.api import Control, View, ViewStatus
from gridsim.errors import described, printable
from gridsim.running.control import ViewedMonitor
from gridsim.running.monitor.monitor import MIN_INTERVAL_S
from gridsim.running.parts import PlannedView

# How long the first tick waits for views to start.
_STARTUP_S = 5.0
_LOOK_S = 0.1
# Without a new tick a snapshot shows only the state of the run and its transports.
_IDLE_S = 1.0


class Views:
    """The views of a run. A view that raises is disabled, and the others go on.

    If a snapshot cannot be made, that is logged once, and the views keep the one before.

    `start`, `close` and `status` are called by the run.
    """

    def __init__(
        self,
        planned: Sequence[PlannedView],
        control: Control,
        monitor: ViewedMonitor,
        tick: Callable[[], int],
    ) -> None:
        """Start nothing. `tick` returns the index of the next tick."""
        self._shown = [ShownView(one.name, one.view) for one in planned]
        self._control = control
        self._monitor = monitor
        self._tick = tick
        self._trouble = ""
        """The reason why there was no snapshot the last time."""
        self._started = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="views", daemon=True)

    def start(self, stopping: threading.Event, timeout_s: float = _STARTUP_S) -> None:
        """Start all views, and wait until they have started, for at most `timeout_s`."""
        self._thread.start()
        deadline = time.monotonic() + timeout_s
        while not self._started.wait(_LOOK_S) and not stopping.is_set():
            if time.monotonic() > deadline:
                for view in self._shown:
                    if view.state == "starting":
                        message = "view {} has not started after {:g} s; the run begins without it"
                        logger.warning(message, view.name, timeout_s)
                return

    def close(self, timeout_s: float) -> bool:
        """Show the run once more and close all views; return whether they closed in time."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            return True
        logger.warning("views did not close in time; abandoning their thread")
        return False

    def status(self, limit_s: float) -> tuple[ViewStatus, ...]:
        """Return the status of every view; one that has not returned for `limit_s` hangs."""
        return tuple(view.status(limit_s) for view in self._shown)

    @property
    def shown(self) -> Sequence[ShownView]:
        """The views, in the order of the configuration."""
        return self._shown

    def _work(self) -> None:
        for view in self._shown:
            view.attempt("start", partial(view.start, self._control))
        self._started.set()
        shown, at = -1, time.monotonic()
        try:
            while not self._ending.wait(MIN_INTERVAL_S):
                tick, now = self._tick(), time.monotonic()
                if tick != shown or now - at >= _IDLE_S:
                    shown, at = tick, now
                    self._show()
            self._show()
        finally:
            for view in self._shown:
                view.close()

    def _show(self) -> None:
        up = [view for view in self._shown if view.state == "up"]
        if not up:
            self._monitor.close()
            return
        try:
            snapshot = self._monitor.snapshot(fresh=True)
        except Exception as error:
            before, self._trouble = self._trouble, described(error)
            if self._trouble != before:
                logger.error("there is no new snapshot for views: {}", self._trouble)
            return
        self._trouble = ""
        for view in up:
            view.attempt("show", partial(view.view.show, snapshot))


class ShownView:
    """A view and its state. Called from the views' thread, apart from `status`, `hanging_in`."""

    kind = "view"

    def __init__(self, name: str, view: View[Any]) -> None:
        self.name = name
        self.view = view
        self.state: Literal["starting", "up", "disabled", "closed"] = "starting"
        self._error = ""
        self._where = ""
        self._call: tuple[str, float] | None = None
        """The method that is running, and the monotonic time since which it runs."""

    def start(self, control: Control) -> None:
        self.view.start(control)
        self._where = printable(self.view.describe())
        self.state = "up"

    def attempt(self, method: str, call: Callable[[], object]) -> None:
        """Call the plugin; an exception disables and closes the view."""
        self._call = method, time.monotonic()
        try:
            call()
        except BaseException as error:
            self.state = "disabled"
            self._error = f"{method}: {described(error)}"
            logger.error("view {} is disabled: {}", self.name, self._error)
            self._release()
        finally:
            self._call = None

    def close(self) -> None:
        if self.state == "up":
            self.state = "closed"
            self._release()

    def status(self, limit_s: float) -> ViewStatus:
        return ViewStatus(self.name, self.state, self._error, self._where, self.hanging_in(limit_s))

    def hanging_in(self, limit_s: float) -> str:
        """Return the plugin's method that has not returned for `limit_s` seconds, or ""."""
        call = self._call
        return "" if call is None or time.monotonic() - call[1] < limit_s else call[0]

    def _release(self) -> None:
        self._call = "close", time.monotonic()
        try:
            self.view.close()
        except BaseException as error:
            logger.error("view {}: close failed: {}", self.name, described(error))
        finally:
            self._call = None
