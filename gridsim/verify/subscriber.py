"""A subscriber that stores every message of a transport with its time of arrival."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from gridsim.api import Listener, TransportError
from gridsim.errors import PluginError, UsageError, described
from gridsim.running.plan import Options, make_plan
from gridsim.running.probes import ask, received

_PAUSE_S = 0.2
_RECEIVE_S = 0.2
_STOP_S = 5.4


def find_listener(options: Options, name: str | None) -> tuple[str, Listener]:
    """Return the name of a transport and a listener to it.

    That is the transport `name`, or the first that can be listened to. Raises UsageError if
    there is none.
    """
    plan = make_plan(options, files="none")
    choices = plan.configuration.transports
    wanted = [choice for choice in choices if name in (None, choice.name)]
    names = ", ".join(choice.name for choice in choices)
    if not wanted:
        raise UsageError(
            f"--transport: error: {options.config} has no transport {name!r}; it has: {names}"
        )
    found = plan.probes.first(wanted, "listen")
    if found is None:
        raise UsageError(
            f"{options.config}: error: gridsim verify cannot subscribe to {name or names}. "
            f"It can use: {plan.probes.names('listen')}"
        )
    choice, probe = found
    if not choice.format_type.is_json:
        raise UsageError(
            f"{options.config}: error: gridsim verify cannot read the messages of {choice.name}: "
            f"the format {choice.format_name!r} does not write the record as JSON. Compare the "
            "data that your system exports, or add a transport with the format json"
        )
    listener = ask(
        choice.name,
        lambda: probe.listen(choice.settings, choice.framing),
        "gridsim verify: error: --subscribe: ",
    )
    return choice.name, listener


class Subscriber:
    """A thread that runs a listener and reconnects it after failures."""

    def __init__(self, name: str, listener: Listener) -> None:
        self._name = name
        self._listener = listener
        self._lock = threading.Lock()
        self._bodies: list[bytes] = []
        self._times: list[int] = []
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self.subscribed = threading.Event()
        self.refusal = ""
        """The reason why the far end refuses the subscription; empty if it does not."""
        self.losses = 0
        """The number of lost connections; messages may be missing after each."""
        self.since_ms = 0
        """The time of the first subscription, ms since 1970; 0 if there was none."""
        self.last_at = time.monotonic()
        """The time of the last message, or of the start."""
        self.where = ask(name, listener.describe)
        self._thread = threading.Thread(target=self._work, name="subscriber", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, or abandon it if it does not end in time."""
        self._ending.set()
        self._thread.join(_STOP_S)

    def check(self) -> None:
        """Raise PluginError if the listener broke its contract."""
        if (error := self._failure) is not None:
            reason = described(error)
            raise PluginError(f"the probe of {self._name} failed: {reason}") from error

    def take(self) -> tuple[list[bytes], list[int]]:
        """Return the messages since the last call, and their times of arrival, ms since 1970."""
        with self._lock:
            bodies, self._bodies = self._bodies, []
            times, self._times = self._times, []
        return bodies, times

    def _work(self) -> None:
        try:
            while not (self._ending.is_set() or self.refusal):
                self._session()
                self._ending.wait(_PAUSE_S)
        except BaseException as error:
            self._failure = error

    def _session(self) -> None:
        """Connect and receive, until the connection is lost or the subscriber stops."""
        connected = False
        try:
            self._listener.connect()
            connected = True
            # The address may be unknown before.
            self.where = self._listener.describe()
            if not self.since_ms:
                self.since_ms = time.time_ns() // 1_000_000
                self.subscribed.set()
            while not self._ending.is_set():
                self._keep()
        except TransportError as error:
            self.losses += connected
            if error.permanent:
                self.refusal = str(error)
        finally:
            with suppress(TransportError):
                self._listener.close()

    def _keep(self) -> None:
        messages = received(self._listener, _RECEIVE_S)
        if not messages:
            return
        with self._lock:
            for message in messages:
                self._bodies.append(message.payload)
                self._times.append(message.time_ms)
        self.last_at = time.monotonic()
