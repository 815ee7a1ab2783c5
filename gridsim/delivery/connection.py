"""The worker thread of a transport or source: it connects, serves, and reconnects."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from loguru import logger

from gridsim.api import TransportError
from gridsim.delivery.backoff import Backoff
from gridsim.delivery.throttle import LogThrottle
from gridsim.errors import GridsimError, PluginError, described, printable

ConnectionState = Literal["connecting", "up", "closed", "failed", "reader gone"]


@dataclass(frozen=True, slots=True)
class Time:
    """The functions that measure time and wait; tests replace them."""

    monotonic: Callable[[], float] = time.monotonic
    wait_for: Callable[[threading.Condition, Callable[[], bool], float], bool] = (
        threading.Condition.wait_for
    )
    """A wait with the condition's lock held, until the predicate is true or the seconds have
    passed; returns the predicate's value."""


REAL_TIME = Time()


@dataclass(frozen=True, slots=True)
class ConnectionWords:
    """The words that log messages use for a plugin's states."""

    not_made: str = "cannot connect"
    lost: str = "lost its connection"
    back: str = "reconnected"


CONNECTION_WORDS = ConnectionWords()


class Connectable(Protocol):
    """The part of a transport or source that makes and ends its connection."""

    def connect(self) -> None:
        """Open the connection."""

    def close(self) -> None:
        """Release everything."""


class ConnectionWorker(ABC):
    """A thread that keeps one plugin connected. An unexpected error disables this plugin only,
    and the run goes on.

    `_changed` guards the state, and is notified when it changes.
    """

    def __init__(
        self,
        kind: Literal["transport", "source"],
        name: str,
        plugin: Connectable,
        time: Time,
        words: ConnectionWords = CONNECTION_WORDS,
    ) -> None:
        self.kind = kind
        self.name = name
        self.error: str | None = None
        """The reason why the last connection failed; None while connected."""
        self.ever_connected = False
        self._plugin = plugin
        self._words = words
        self._time = time
        self._state: ConnectionState = "connecting"
        self._changed = threading.Condition()
        self._closing = False
        self._backoff = Backoff()
        self._log = LogThrottle(time.monotonic)
        self._reconnects = 0
        self._call: tuple[str, float] | None = None
        """The plugin's method that is running, and the time of its call."""
        self._progress_at = time.monotonic()
        """The time of the plugin's last progress."""
        self._thread = threading.Thread(target=self._work, name=f"{kind} {name}", daemon=True)

    # Called from any thread.

    @property
    def state(self) -> ConnectionState:
        """The state of the connection."""
        return self._state

    def start(self) -> None:
        """Start the worker thread."""
        self._thread.start()

    def wait_first_attempt(self, timeout_s: float) -> None:
        """Wait until the plugin is connected, or its first attempt to connect has failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._state != "connecting" or self.error is not None, timeout_s
            )

    def close(self) -> None:
        """Ask the worker to finish its work and to close the plugin."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the worker to end and return whether it has; see `close`."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Return whether the worker thread still runs."""
        return self._thread.is_alive()

    def hanging_in(self, limit_s: float) -> str:
        """Return the plugin's method that has made no progress for `limit_s` seconds, or ""."""
        call = self._call
        if call is None:
            return ""
        method, since = call
        idle_s = self._time.monotonic() - max(since, self._progress_at)
        return method if idle_s >= limit_s else ""

    # Implemented by each kind of worker.

    @abstractmethod
    def _serve(self) -> None:
        """Work while connected, and return when the plugin can be closed for good.

        A TransportError means that the connection is lost.
        """

    @abstractmethod
    def _stops_connecting(self) -> bool:
        """Return whether another attempt to connect is useless. The lock is held."""

    def _final_state(self, error: TransportError) -> ConnectionState | None:
        """Return the state in which this error ends the worker, None to retry."""
        return None

    @abstractmethod
    def _release(self) -> None:
        """Drop what still waits, in the final state. The lock is held."""

    # Called with the lock held.

    def _note_up(self) -> None:
        """Note a new connection."""
        self._note_recovery()

    def _note_recovery(self) -> None:
        """Forget the last failure, if there was one."""
        if self.error is not None:
            self.error = None
            self._log.log("INFO", "{} {} {}", self.kind, self.name, self._words.back)

    def _is_over(self) -> bool:
        return self._state in ("failed", "reader gone", "closed")

    def _end(self, state: ConnectionState, reason: str) -> None:
        """Set a final state."""
        self._state, self.error = state, reason
        self._release()
        self._changed.notify_all()

    # Called from the worker's thread.

    @contextmanager
    def _calling(self, method: str) -> Iterator[None]:
        """Note the method of the plugin that runs meanwhile; see `hanging_in`."""
        self._call = method, self._time.monotonic()
        try:
            yield
        finally:
            self._call = None

    def _work(self) -> None:
        try:
            while self._may_connect() and not self._attempt():
                pass
        except BaseException as error:
            # The plugin may raise anything; its error must not disable anything else.
            if isinstance(error, PluginError):
                reason = str(error)  # Its texts are printable, and its place stands at its end.
            else:
                known = isinstance(error, GridsimError)
                reason = printable(error) if known else described(error)
            logger.error("{} {} disabled: {}", self.kind, self.name, reason)
            with self._changed:
                self._end("failed", reason)
        closing = self._close_plugin()
        with self._changed:
            if not self._is_over():
                self._state = "closed"
                if isinstance(closing, TransportError) and closing.permanent:
                    self._state, self.error = "failed", printable(closing)
            self._release()
            self._changed.notify_all()

    def _may_connect(self) -> bool:
        """Pause, longer after each failed attempt; return False if the worker is to end."""
        self._close_plugin()
        with self._changed:
            pause_s = self._backoff.pause_s()
            if pause_s:
                self._time.wait_for(self._changed, self._ends, pause_s)
            return not self._ends()

    def _ends(self) -> bool:
        return self._is_over() or self._stops_connecting()

    def _attempt(self) -> bool:
        """Connect once and serve until the end (True) or the loss of the connection (False)."""
        self._backoff.attempt()
        problem = self._words.not_made
        try:
            with self._calling("connect"):
                self._plugin.connect()
            self._note_connection()
            problem = self._words.lost
            self._serve()
        except TransportError as error:
            return self._note_loss(problem, error)
        return True

    def _note_connection(self) -> None:
        with self._changed:
            if self._is_over():
                return
            self._state = "up"
            self._reconnects += self.ever_connected
            self.ever_connected = True
            self._note_up()
            self._changed.notify_all()

    def _note_loss(self, problem: str, error: TransportError) -> bool:
        with self._changed:
            if self._is_over():
                return True
            final = self._final_state(error)
            if final is not None:
                self._end(final, str(error))
                return True
            self._state, self.error = "connecting", str(error)
            self._backoff.permanent = error.permanent
            self._changed.notify_all()
        message = f"{{}} {{}} {problem}: {{}}; retrying"
        self._log.log("WARNING", message, self.kind, self.name, error, cause=str(error))
        return False

    def _close_plugin(self) -> BaseException | None:
        """Close the plugin, and return the error that it raised."""
        try:
            with self._calling("close"):
                self._plugin.close()
        except BaseException as error:
            logger.debug("{} {} while closing: {}", self.kind, self.name, described(error))
            return error
        return None
