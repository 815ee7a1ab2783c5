"""The thread of the driver that calls one shard."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from loguru import logger

from gridsim.contracts.run_context import Announcement
from gridsim.errors import GridsimError, described
from gridsim.running.shards.grants import Grants
from gridsim.running.shards.messages import (
    ShardHost,
    ShardLostError,
    ShardReport,
    ShardSchedule,
    ShardSpec,
)

_POLL_S: Final = 0.1
_TRIES: Final = 3
"""The times that a shard is made again without a tick in between."""
T = TypeVar("T")


class ShardHosts(Protocol):
    """The maker of the shards of a run: child processes, or actors of a cluster."""

    def open(self) -> None:
        """Start or reach what all shards share. Called once, in the thread that starts the run.

        Raises GridsimError.
        """

    def make(self, spec: ShardSpec) -> ShardHost:
        """Return a shard that is not prepared yet; one with `life` above 0 replaces a lost one."""

    def close(self) -> None:
        """Release what all shards share, after each was closed."""


class Follower:
    """One shard and its thread in the driver. All calls of the shard are made by the thread.

    A shard that is lost is made again from its checkpoint if the run keeps any.
    """

    def __init__(
        self,
        index: int,
        spec: ShardSpec,
        hosts: ShardHosts,
        grants: Grants,
        take: Callable[[Follower, ShardReport], None],
        slowest: Callable[[], int],
        announced: Callable[[], Mapping[str, Announcement]],
        *,
        again: bool,
    ) -> None:
        """Start nothing yet.

        `take` gets the reports, `slowest` returns the next tick of the slowest shard, and
        `announced` what the driver's transports have announced.
        `again`: a lost shard is made again.
        """
        self.index = index
        self.name = spec.name
        self.report: ShardReport | None = None
        """The newest report."""
        self.since = 0
        """The first tick whose facts are not known."""
        self.lost: ShardLostError | None = None
        """The reason why the shard is lost for good."""
        self.error: GridsimError | None = None
        """The reason why the shard could not be prepared or started."""
        self.earlier = 0
        """The readings that lives of the shard that were lost had delivered at least, by their last
        reports, counted for each transport."""
        self.ended = threading.Event()
        """Set when the thread makes no more calls."""
        self._spec, self._hosts, self._grants = spec, hosts, grants
        self._take, self._slowest, self._announced = take, slowest, announced
        self._again = again
        self._host: ShardHost | None = None
        self._calls: deque[tuple[Callable[[ShardHost], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._sent = 0
        """The number of the next instruction that the shard does not have."""
        self._running = self._ending = self._closing = False
        self._tries = 0
        self._thread = threading.Thread(target=self._work, name=spec.name, daemon=True)

    # Called by the run.

    def begin(self) -> None:
        """Start the thread, which makes the shard."""
        self._thread.start()

    def call(self, method: Callable[[ShardHost], T]) -> Future[T]:
        """Queue a call of the shard, and return its future answer."""
        future: Future[T] = Future()
        if self.ended.is_set():
            future.set_exception(self.lost or GridsimError(f"{self.name} has ended"))
            return future
        self._calls.append((method, future))
        if self.ended.is_set():
            self._fail_calls()
        self._wake.set()
        with self._grants.changed:
            self._grants.changed.notify_all()
        return future

    def run(self) -> None:
        """Advance the shard between calls from now on."""
        self._running = True
        self._wake.set()

    def replace_no_more(self) -> None:
        """Do not make the shard again from now on, because the run ends."""
        self._ending = True

    def end(self) -> None:
        """Make no more calls after those that wait, and close the shard."""
        self.call(_nothing)
        self._running = False
        self._closing = True
        self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """Return whether the thread ended in time."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # Called in the thread.

    def _work(self) -> None:
        try:
            self._host = self._hosts.make(self._spec)
            self._host.prepare()
            self._serve()
        except ShardLostError as error:
            self.lost = error
        except GridsimError as error:
            if self._running:
                self.lost = ShardLostError(f"{self.name}: {error}")
            else:
                self.error = error
        except Exception as error:
            self.error = GridsimError(f"{self.name}: {described(error)}")
        finally:
            if self._host is not None:
                self._host.close()
            self.ended.set()
            self._fail_calls()

    def _serve(self) -> None:
        while True:
            try:
                while self._calls:
                    self._make_call()
                if self._closing:
                    return
                if self._running and self._advance():
                    continue
            except ShardLostError as error:
                self._replace(error)
                continue
            if not self._calls:
                self._wake.wait(_POLL_S)
                self._wake.clear()

    def _make_call(self) -> None:
        assert self._host is not None
        method, future = self._calls.popleft()
        try:
            future.set_result(method(self._host))
        except ShardLostError:
            # The shard gets it when it was made again; else the call fails once that is known.
            self._calls.appendleft((method, future))
            raise
        except BaseException as error:
            future.set_exception(error)

    def _advance(self) -> bool:
        """Advance once; return whether to go on at once."""
        assert self._host is not None
        if self.report is not None and self.report.is_over:
            return False
        until, instructions = self._grants.allowed(self.index, self._slowest(), self._sent)
        report = self._host.advance(until, instructions, self.since, _POLL_S)
        if instructions:
            self._sent = instructions[-1].number + 1
        self.note(report)
        if report.tick >= until and not self._calls:
            self._grants.wait(until, self._slowest(), _POLL_S)
        return True

    def note(self, report: ShardReport) -> None:
        """Take a report. Called in the thread, or when it makes no other call."""
        for line in report.logs:
            logger.log(line.level, "{}: {}", self.name, line.text)
        if report.tick > self.since:
            self._tries = 0
        self.report = report
        self._take(self, report)
        self.since = max(self.since, report.tick)

    def _replace(self, error: ShardLostError) -> None:
        """Make the shard again from its checkpoint. Raises ShardLostError if that is not possible.

        A loss on the way counts as one more try.
        """
        while self._again and self._running and not self._ending and self._tries < _TRIES:
            self._tries += 1
            logger.warning("{}: it is made again from its checkpoint", error)
            try:
                self._make_again()
            except ShardLostError as again:
                error = again
            except GridsimError as refused:
                raise ShardLostError(f"{error}; it cannot be made again: {refused}") from None
            else:
                return
        raise error

    def _make_again(self) -> None:
        if self._host is not None:
            self._host.close()
        options = replace(self._spec.options, resume=True)
        self._spec = replace(self._spec, options=options, life=self._spec.life + 1)
        self._host = self._hosts.make(self._spec)
        self._host.prepare()
        report = self._host.start(self._announced())
        self._sent = 0
        if (schedule := self._grants.schedule) is not None:
            self._host.follow(schedule)
        logger.info("{}: it continues from tick {:,}", self.name, report.tick)
        if self.report is not None:
            self.earlier += sum(one.delivered for one in self.report.status.transports)
        self.note(report)
        resumed = report.status.resumed
        if resumed is None or resumed.on_recovery != "skip":
            return
        if resumed.handed_on < resumed.present:
            logger.warning(
                "{}: readings of ticks {:,} to {:,} are not sent: on_recovery = skip",
                self.name,
                resumed.handed_on,
                resumed.present - 1,
            )

    def _fail_calls(self) -> None:
        # Other threads may queue calls, and call this, meanwhile.
        with suppress(IndexError):
            while True:
                _, future = self._calls.popleft()
                future.set_exception(
                    self.lost or self.error or GridsimError(f"{self.name} has ended")
                )


def followed(schedule: ShardSchedule) -> Callable[[ShardHost], None]:
    """Return the call that makes a shard follow a schedule."""
    return partial(_follow, schedule)


def _follow(schedule: ShardSchedule, host: ShardHost) -> None:
    host.follow(schedule)


def _nothing(host: ShardHost) -> None: ...
