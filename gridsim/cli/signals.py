"""The signals of a run on the command line."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from gridsim.cli.terminal import flush_all
from gridsim.running.shards.opening import AnyRun
from gridsim.terminals import STOPS, ControllingTerminal

# The signal of a closed terminal; Windows has none.
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
# The time that transports get after a signal to send what is queued, seconds.
_FLUSH_S = {signal.SIGINT: 1.7, signal.SIGTERM: 4.7}
if _HANGUP is not None:
    _FLUSH_S[_HANGUP] = 4.7
# A run that flushed to the end of its time closes its ledger and its views in less than this.
_LATE_S: Final = 1.0
# A main thread that has not begun to end the run by then is blocked by a plugin.
_BLOCKED_S: Final = 0.5
_LOOK_S: Final = 0.1


class RunSignals:
    """The signal handlers. The first signal stops the run, and a second SIGINT or SIGTERM ends the
    process. SIGHUP asks for a reload, except if the terminal has closed: that stops the run, too.
    Ctrl-Z stops the process between two frames of the live view.

    A plugin may hang in a call of the main thread, which then never ends the run: another thread
    does. The process ends without its account if the run has not ended a second after the time to
    flush.
    """

    def __init__(self, run: AnyRun) -> None:
        self.received: signal.Signals | None = None
        self.end: Callable[[], int] | None = None
        """Ends the run instead of a blocked main thread, and returns the exit status."""
        self.asks_for_reload = False
        """True after a SIGHUP, until the reload begins."""
        self.terminal = ControllingTerminal()
        self._asked = False
        """True after a SIGINT or SIGTERM."""
        self._run = run
        self._ending = threading.Lock()
        """Held by the thread that ends the run."""
        self._blocked_at: float | None = None
        """The monotonic time at which another thread ends the run."""
        self._before: dict[signal.Signals, Any] = {}
        self._leave_at: float | None = None
        """The monotonic time at which the process ends in any case."""
        self._done = threading.Event()

    def __enter__(self) -> RunSignals:
        for number in _FLUSH_S:
            # `nohup` starts a run that outlives its terminal.
            if number == _HANGUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._note)
        if hasattr(signal, "SIGTSTP") and signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
            self._before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, STOPS.stop)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def claim_end(self) -> None:
        """Take over the end of the run. Does not return if another thread is ending it."""
        self._ending.acquire()

    def _note(self, number: int, _: FrameType | None) -> None:
        # A closed terminal hangs up more than once: its shell and the kernel do, and a manager of
        # sessions sends a SIGTERM beside it. None of them may cut off the account.
        if number == _HANGUP:
            if not self.terminal.has_closed():
                self.asks_for_reload = True
                return
        else:
            if self._asked:
                os._exit(128 + number)
            self._asked = True
        if self.received is None:
            self.received = signal.Signals(number)
            now = time.monotonic()
            self._blocked_at = now + _BLOCKED_S
            self._leave_at = now + _FLUSH_S[self.received] + _LATE_S
            self._run.request_stop(_FLUSH_S[self.received])

    def _watch(self) -> None:
        # It looks, because a signal handler must not take a lock that its thread may hold.
        while not self._done.wait(_LOOK_S):
            if self._blocked_at is not None and time.monotonic() >= self._blocked_at:
                self._blocked_at = None
                # Its thread may wait for a lock of the main thread, as that of a log line.
                threading.Thread(target=self._end_instead, name="ending", daemon=True).start()
            if self._leave_at is not None and time.monotonic() >= self._leave_at:
                # The lock of a log line may be held, too.
                os._exit(128 + (self.received or 0))

    def _end_instead(self) -> None:
        """End the run and the process, unless the main thread starts or ends the run."""
        if self.end is None or self._run.status().state != "running":
            return
        if self._ending.acquire(blocking=False):
            status = self.end()
            flush_all()
            os._exit(status)
