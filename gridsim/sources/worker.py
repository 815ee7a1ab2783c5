"""The worker of one source of commands: its thread, its reconnections, its acknowledgements."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from loguru import logger

from gridsim.api import Acknowledgement, Inbox, Request, Source, Target, TransportError
from gridsim.simulation.commands.parsing import read_id

SourceState = Literal["connecting", "up", "failed", "closed"]

TOO_MANY = "too many commands are waiting: send fewer, or later"
# How long an acknowledgement may have to wait until the source has an ear for it.
_SERVE_S = 0.02
_BACKOFF_S = (0.2, 1.5)
_PERMANENT_BACKOFF_S = 30.0
_LOG_EVERY_S = 10.0
_MAX_QUEUED = 100_000
# A source counts as having worked if its connection held this long.
_LASTING_S = 10.0


class SourceWorker:
    """Serves one source on a thread of its own. Whatever the source does, the run goes on."""

    def __init__(
        self, name: str, source: Source, inbox: Inbox, now: Callable[[], tuple[int, int]]
    ) -> None:
        """`now` gives the next tick and its time, UTC ms; from any thread."""
        self.name = name
        self.source = source
        self.error: str | None = None
        """Why it last failed, for a person."""
        self._inbox = inbox
        self._now = now
        self._state: SourceState = "connecting"
        self._told: deque[Acknowledgement] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._attempts = 0
        self._hopeless = False
        self._quiet_until: dict[str, float] = {}
        self._thread = threading.Thread(target=self._work, name=f"source {name}", daemon=True)

    @property
    def state(self) -> SourceState:
        return self._state

    def start(self) -> None:
        self._thread.start()

    def wait_first_attempt(self, timeout_s: float) -> None:
        """Returns once the source is up, or its first attempt to connect has failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._state != "connecting" or self.error is not None, timeout_s
            )

    def offer(self, acknowledgements: Iterable[Acknowledgement]) -> None:
        """Queues those that are this source's; the oldest are dropped beyond a bound."""
        with self._changed:
            for one in acknowledgements:
                if one.source == self.name:
                    self._told.append(one)
            dropped = 0
            while len(self._told) > _MAX_QUEUED or (self._told and self._state == "failed"):
                self._told.popleft()
                dropped += 1
        if dropped:
            self._say("source {} drops acknowledgements: {} at once", self.name, dropped)

    def post(self, request: Request) -> bool:
        """What the source posts to: names it, and answers what does not fit."""
        if not (isinstance(request, Request) and isinstance(request.target, Target)):
            raise TypeError(f"a source must post requests to targets, not {request!r:.100}")
        if not isinstance(request.payload, bytes):
            raise TypeError(f"a request's payload must be bytes, not {request.payload!r:.100}")
        request = replace(request, source=self.name)
        if self._inbox.post(request):
            return True
        tick, time_ms = self._now()
        id = read_id(request.payload)
        self.offer(
            [Acknowledgement(request.target, id, "rejected", TOO_MANY, tick, time_ms, self.name)]
        )
        return False

    def close(self) -> None:
        """Asks the worker to hand over the acknowledgements that wait, and to end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Whether the worker has come to its end in time; see `close`."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # Called from the worker's thread.

    def _work(self) -> None:
        state: SourceState = "closed"
        try:
            while self._may_connect():
                self._attempt()
        except BaseException as error:
            # The source is a plugin: whatever it raises must take out nobody else.
            state, self.error = "failed", f"{type(error).__name__}: {error}"
            logger.error("source {} is taken out: {}", self.name, self.error)
        self._close_source()
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _attempt(self) -> None:
        """One connection, from its beginning to its loss or the end of the run."""
        self._attempts += 1
        began = time.monotonic()
        try:
            self.source.connect()
        except TransportError as error:
            self._note_loss("cannot connect", error)
            return
        recovered = self.error is not None
        with self._changed:
            self._state, self.error, self._hopeless = "up", None, False
            self._changed.notify_all()
        if recovered:
            logger.info("source {} is connected again", self.name)
        try:
            self._serve()
        except TransportError as error:
            if time.monotonic() - began > _LASTING_S:
                self._attempts = 0
            self._note_loss("lost its connection", error)

    def _serve(self) -> None:
        while True:
            # Before the acknowledgements: what comes in while closing is not to be lost.
            closing = self._closing
            self._hand_over()
            if closing:
                return
            self.source.serve(self, _SERVE_S)

    def _hand_over(self) -> None:
        with self._changed:
            told = list(self._told)
        if not told:
            return
        self.source.acknowledge(told)
        with self._changed:
            # The oldest may have been dropped meanwhile.
            done = {id(one) for one in told}
            while self._told and id(self._told[0]) in done:
                self._told.popleft()

    def _may_connect(self) -> bool:
        """Waits, the longer the more attempts have failed; False if told to end."""
        self._close_source()
        with self._changed:
            if self._attempts:
                low, high = _BACKOFF_S
                pause = random.uniform(low, min(high, low * 2.0 ** min(self._attempts, 10)))
                pause = _PERMANENT_BACKOFF_S if self._hopeless else pause
                self._changed.wait_for(lambda: self._closing, pause)
            return not self._closing

    def _note_loss(self, what: str, error: TransportError) -> None:
        with self._changed:
            self._state = "connecting"
            self.error = str(error)
            self._hopeless = error.permanent
            self._changed.notify_all()
        self._say(f"source {{}} {what}: {{}}; trying again", self.name, error)

    def _close_source(self) -> None:
        try:
            self.source.close()
        except (Exception, SystemExit) as error:
            logger.debug("source {} while closing: {}", self.name, error)

    def _say(self, message: str, *values: object) -> None:
        """Logs, but the same message at most once in ten seconds."""
        now = time.monotonic()
        if now >= self._quiet_until.get(message, 0.0):
            self._quiet_until[message] = now + _LOG_EVERY_S
            logger.warning(message, *values)
