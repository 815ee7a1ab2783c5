"""The process of a shard: it answers the calls that come through its standard input.

It ends when its standard input closes, so that it never runs longer than the driver.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from typing import Any, BinaryIO


def main() -> None:
    """Answer calls until the driver closes the pipe."""
    calls, answers = _own_pipes()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # They go to the whole group. The driver decides what happens.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        # The driver has blocked them until here.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    from gridsim.running.shards.calls import answered, written
    from gridsim.running.shards.host import HostedRun

    host = HostedRun(pickle.load(calls))
    requests = _Requests(calls)
    while (request := requests.take()) is not None:
        answer = written(answered(host, *request))
        try:
            answers.write(len(answer).to_bytes(8, "big"))
            answers.write(answer)
            answers.flush()
        except OSError:
            break
    # A thread of a plugin may be busy, and its output is read no more.
    os._exit(0)


class _Requests:
    """The calls, read on a separate thread: the end of the pipe ends the process at once, also
    while a call is answered.
    """

    def __init__(self, calls: BinaryIO) -> None:
        self._calls = calls
        self._waiting: list[tuple[str, tuple[Any, ...]]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, name="driver", daemon=True).start()

    def take(self) -> tuple[str, tuple[Any, ...]] | None:
        """Wait for the next call; None: there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            method, arguments = self._waiting.pop(0)
        return None if method == "close" else (method, arguments)

    def _read(self) -> None:
        while True:
            try:
                request = pickle.load(self._calls)
            except (EOFError, OSError, pickle.UnpicklingError):
                # The driver was killed: what is still sent would not be counted.
                os._exit(1)
            with self._changed:
                self._waiting.append(request)
                self._changed.notify_all()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes of the driver; what a plugin reads or prints does not reach them."""
    calls, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    return os.fdopen(calls, "rb"), os.fdopen(answers, "wb")


if __name__ == "__main__":
    main()
