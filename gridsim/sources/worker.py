"""The worker of one source: it takes in instructions and hands over acknowledgements."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

from loguru import logger

from gridsim.api import (
    Acknowledgement,
    Inbox,
    Instruction,
    RunContext,
    Source,
    Target,
    TransportError,
)
from gridsim.contracts.instructions import action_of
from gridsim.delivery.connection import REAL_TIME, ConnectionWorker, Time
from gridsim.delivery.trace import MessageTrace
from gridsim.errors import described
from gridsim.sources.checks import checked_instruction, known_refusals
from gridsim.sources.counters import SourceCounters
from gridsim.sources.exchange import Exchange

MAX_UNANSWERED = 10_000
"""The largest number of instructions of one source whose answer was not handed over yet."""
TOO_MANY = "too many commands are waiting: send fewer, or later"
MAX_UNANSWERED_EACH = 1_000
"""The largest number of these to one target, so that a flood to it leaves room for the others."""
TOO_MANY_EACH = "too many commands to this target are waiting: send fewer, or later"

# The longest wait for `hurry`.
_HURRY_S = 0.2
# Longest time that one `serve` call may delay an acknowledgement.
_SERVE_S = 0.02
# The most acknowledgements that one `acknowledge` call may hand over; then the source serves again.
_AT_ONCE = 500
# How long the source may take at the end to hand over the acknowledgements that wait. The run waits
# a little longer for the thread.
_LAST_S = 0.3
# A connection that held this long has worked: the next attempt comes at once.
_LASTING_S = 10.0


def is_own(target: Target) -> bool:
    """Return true: a run that is not divided answers for every target."""
    return True


class SourceWorker(ConnectionWorker):
    """The thread that serves one source.

    No acknowledgement is dropped while the source works. Their number is bounded because an
    instruction counts against `limit` until its answer was handed over: beyond the limit,
    `post` refuses. One source that reads no answers does not shut out another.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        inbox: Inbox,
        now: Callable[[], tuple[int, int]],
        *,
        is_for: Callable[[Target], bool] = is_own,
        limit: int = MAX_UNANSWERED,
        limit_each: int = MAX_UNANSWERED_EACH,
        trace: MessageTrace | None = None,
        time: Time = REAL_TIME,
    ) -> None:
        """Start nothing yet. `now` returns the next tick and its time, UTC ms; any thread may
        call it. Instructions for which `is_for` is false are ignored: another shard of the run
        answers them. `trace` gets the messages of the devices that are watched."""
        super().__init__("source", name, source, time)
        self.source = source
        self._inbox = inbox
        self._now = now
        self._is_for = is_for
        self._limit, self._limit_each = limit, limit_each
        self._acknowledgements: deque[Acknowledgement] = deque()
        self._unanswered = 0
        """Instructions that were posted and have no first answer yet."""
        self._each: Counter[Target] = Counter()
        """Instructions whose first answer was not handed over, by target."""
        self._refusals: Counter[Target] = Counter()
        """Refusals that wait to be handed over, by target."""
        self._counters = SourceCounters()
        self._run: RunContext | None = None
        """The run after a reload, until the source has it."""
        self._exchange = None if trace is None else Exchange(trace, name, source)

    # Called from the engine's thread and the main thread.

    def counters(self) -> SourceCounters:
        """Return the counters now, consistent with each other."""
        with self._changed:
            waiting = len(self._acknowledgements)
            return replace(
                self._counters,
                unanswered=self._unanswered,
                waiting=waiting,
                reconnects=self._reconnects,
            )

    def offer(self, acknowledgements: Iterable[Acknowledgement]) -> None:
        """Queue the acknowledgements that are for this source."""
        with self._changed:
            for one in acknowledgements:
                if one.source != self.name:
                    continue
                if one.status in ("accepted", "rejected"):
                    # The first answer. What comes later counts by itself, and is bounded by
                    # the number of commands that the simulation keeps.
                    self._unanswered = max(self._unanswered - 1, 0)
                self._acknowledgements.append(one)
                if self._exchange is not None:
                    self._exchange.answered(one)
            if self._is_over():
                self._release()

    def change_roster(self, run: RunContext, trace: MessageTrace | None) -> None:
        """Continue with the devices of `run`; `trace` gets the messages from then on."""
        with self._changed:
            self._run = run
            self._exchange = None if trace is None else Exchange(trace, self.name, self.source)

    def close(self) -> None:
        """Ask the worker to hand over the acknowledgements that wait, and to close the source."""
        super().close()
        hurrying = threading.Thread(target=self._hurry, name=f"hurry {self.name}", daemon=True)
        hurrying.start()
        # It only sets a flag, but a plugin that hangs must not delay the end of the run.
        hurrying.join(_HURRY_S)

    def _hurry(self) -> None:
        try:
            self.source.hurry()
        except BaseException as error:
            logger.error("source {}: hurry: {}", self.name, described(error))

    # Called by the source, from the worker's thread.

    def post(self, instruction: Instruction) -> bool:
        """Post under the source's name; answer at once if there is no room."""
        instruction = checked_instruction(instruction)
        if not self._is_for(instruction.target):
            return True
        if self._exchange is not None:
            self._exchange.received(instruction)
        instruction = replace(instruction, source=self.name, received=None)
        target = instruction.target
        with self._changed:
            is_full = self._each[target] >= self._limit_each
            reason = TOO_MANY_EACH if is_full else TOO_MANY
            if self._has_room_for(target) and not is_full:
                # Before the tick that answers it can run.
                self._unanswered += 1
                self._each[target] += 1
                if self._inbox.post(instruction):
                    self._counters.posted += 1
                    return True
                self._unanswered -= 1
                _subtract(self._each, target)
        self._refuse(instruction, reason)
        return False

    def lost(self, instructions: int) -> None:
        """Count instructions that arrived and were dropped unread."""
        with self._changed:
            self._counters.lost += instructions
            total = self._counters.lost
        message = "source {}: instructions dropped unread, {:,} in total: they arrive too fast"
        self._log.log("WARNING", message, self.name, total)

    def _refuse(self, instruction: Instruction, reason: str) -> None:
        tick, time_ms = self._now()
        target = instruction.target
        with self._changed:
            self._counters.refused += 1
            each = self._limit_each
            if self._refusals[target] < each and len(self._acknowledgements) < 2 * self._limit:
                answer = Acknowledgement(
                    instruction.target,
                    instruction.id,
                    "rejected",
                    reason,
                    tick,
                    time_ms,
                    self.name,
                    action_of(instruction),
                )
                if self._exchange is not None:
                    self._exchange.answered(answer)
                self._acknowledgements.append(answer)
                self._refusals[target] += 1
                return
            # The refusals are not read as fast as they arise.
            self._counters.unanswerable += 1
            total = self._counters.unanswerable
        message = "source {}: instructions refused without an answer, {:,} in total: {}"
        self._log.log("WARNING", message, self.name, total, reason)

    # Called from the worker's thread.

    def _serve(self) -> None:
        began = self._time.monotonic()
        try:
            while not self._is_over():
                # Read before the acknowledgements are taken, so that none that arrives while
                # closing is left.
                closing = self._closing
                self._hand_over()
                if closing:
                    self._hand_over_rest()
                    return
                self._pass_on_roster()
                with self._calling("serve"):
                    self.source.serve(self, _SERVE_S)
        except TransportError:
            if self._time.monotonic() - began > _LASTING_S:
                self._backoff.reset()
            raise

    def _hand_over_rest(self) -> None:
        """Hand over as many of the acknowledgements as there is time for at the end."""
        deadline = self._time.monotonic() + _LAST_S
        while self._acknowledgements and self._time.monotonic() < deadline:
            self._hand_over()

    def _hand_over(self) -> None:
        with self._changed:
            acknowledgements = list(islice(self._acknowledgements, _AT_ONCE))
        if not acknowledgements:
            return
        if self._exchange is not None:
            self._exchange.handing_over(acknowledgements)
        with self._calling("acknowledge"):
            reasons = self.source.acknowledge(acknowledgements)
            refused = known_refusals(reasons, len(acknowledgements))
        if self._exchange is not None:
            self._exchange.handed_over(acknowledgements, "delivered", refused)
        with self._changed:
            # Others may have been queued behind them meanwhile.
            for one in acknowledgements:
                self._acknowledgements.popleft()
                if one.reason in (TOO_MANY, TOO_MANY_EACH):
                    _subtract(self._refusals, one.target)
                elif one.status in ("accepted", "rejected"):
                    _subtract(self._each, one.target)
            self._counters.acknowledged += len(acknowledgements) - len(refused)
            self._counters.undelivered += len(refused)

    def _pass_on_roster(self) -> None:
        with self._changed:
            run, self._run = self._run, None
        if run is not None:
            with self._calling("change_roster"):
                self.source.change_roster(run)

    # Called with the lock held.

    def _has_room_for(self, target: Target) -> bool:
        counted = self._unanswered + len(self._acknowledgements)
        if self._each[target]:
            return counted < self._limit
        # A target without such an instruction gets one in, so that floods to many other targets do
        # not shut it out. Their refusals, which are bounded, do not count.
        return counted - self._refusals.total() < 2 * self._limit

    def _stops_connecting(self) -> bool:
        return self._closing

    def _release(self) -> None:
        released = len(self._acknowledgements)
        if not released:
            return
        if self._exchange is not None:
            self._exchange.handed_over(self._acknowledgements, f"dropped: source {self._state}")
        self._acknowledgements.clear()
        self._each.clear()
        self._refusals.clear()
        self._counters.undelivered += released
        message = "source {}: acknowledgements not handed over, {:,} in total (source {})"
        total, state = self._counters.undelivered, self._state
        self._log.log("WARNING", message, self.name, total, state, cause=state)


def _subtract(counts: Counter[Target], key: Target) -> None:
    """Take one from a count, and remove a key without a count."""
    if counts[key] > 1:
        counts[key] -= 1
    else:
        counts.pop(key, None)
