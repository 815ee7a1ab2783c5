"""Waiting for the workers of a run: transports and sources."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from gridsim.delivery import Runner
from gridsim.sources import SourceWorker

_LOOK_S = 0.2
_POLL_S = 0.02


def wait_for_first_attempts(
    workers: Sequence[Runner | SourceWorker], stopping: threading.Event, timeout_s: float
) -> None:
    """Wait until each is up or has failed once, or until a stop is requested."""
    deadline = time.monotonic() + timeout_s
    for worker in workers:
        while worker.state == "connecting" and worker.error is None:
            if stopping.is_set() or time.monotonic() > deadline:
                return
            worker.wait_first_attempt(_LOOK_S)


def has_no_receiver(runners: Sequence[Runner]) -> bool:
    """Return whether a reader has closed its pipe, or every transport has failed."""
    states = [runner.state for runner in runners]
    return "reader gone" in states or all(state == "failed" for state in states)


def flush(runners: Sequence[Runner], is_late: Callable[[], bool]) -> None:
    """Wait until each has sent what is queued or makes no progress, or until it is too late."""
    waiting = list(runners)
    while waiting and not is_late():
        waiting = [
            runner for runner in waiting if not (runner.wait(_POLL_S) or runner.is_stalled())
        ]


def settled(runner: Runner, timeout_s: float) -> bool:
    """Wait until nothing is pending; give up without progress for `timeout_s`, or on a failure."""
    pending = runner.counters().pending
    while not runner.wait_settled(timeout_s):
        before, pending = pending, runner.counters().pending
        if runner.state in ("failed", "closed", "reader gone") or pending >= before:
            return False
    return True
