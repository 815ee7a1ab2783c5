"""A shard in a child process of the driver, on the same machine."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from gridsim.running.shards.calls import CallAnswer, CalledHost
from gridsim.running.shards.messages import (
    ShardLostError,
    ShardSpec,
)

_CLOSE_S: Final = 1.0


class ProcessHost(CalledHost):
    """The `ShardHost` of a child process; calls go through a pipe, one at a time."""

    def __init__(self, spec: ShardSpec) -> None:
        """Start the process, which makes the shard when `start` is called. Raises OSError."""
        self._name = spec.name
        self._lock = threading.Lock()
        with _without_signals():
            self._child = subprocess.Popen(
                # -P: a file of the working folder must not shadow a module.
                [sys.executable, "-P", "-m", "gridsim.running.shards.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self._send(spec)

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._child.pid

    def close(self) -> None:
        """Close the pipe, and kill a process that does not end."""
        child = self._child
        if child.poll() is None:
            try:
                self._send(("close", ()))
                child.wait(_CLOSE_S)
            except (ShardLostError, subprocess.TimeoutExpired):
                child.kill()
                child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def kill(self) -> None:
        """End the process at once, also while a call waits for its answer."""
        self._child.kill()

    # Internal.

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._lock:
            self._send((method, arguments))
            answer: CallAnswer = pickle.loads(self._receive())
        return answer.taken()

    def _send(self, message: object) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
            self._child.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def _receive(self) -> bytes:
        assert self._child.stdout is not None
        try:
            head = self._child.stdout.read(8)
            size = int.from_bytes(head, "big")
            body = self._child.stdout.read(size) if len(head) == 8 else b""
        except (OSError, ValueError) as error:
            raise self._lost() from error
        if len(head) < 8 or len(body) < size:
            raise self._lost()
        return body

    def _lost(self) -> ShardLostError:
        """Return the error of a process that has ended, with the way it ended."""
        try:
            status: int | None = self._child.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            how = "it does not answer"
        elif status < 0:
            how = f"its process {self.pid} was ended by signal {-status}"
        else:
            how = f"its process {self.pid} ended with status {status}"
        return ShardLostError(f"{self._name}: {how}")


@contextmanager
def _without_signals() -> Iterator[None]:
    """Block the signals that end a run, until the child ignores them: it inherits the mask."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ProcessHosts:
    """The maker of the shards of one run as child processes on this machine."""

    def open(self) -> None:
        """Do nothing: processes share nothing."""

    def make(self, spec: ShardSpec) -> ProcessHost:
        """Start the process of a shard."""
        return ProcessHost(spec)

    def close(self) -> None:
        """Do nothing: each process ends with its host."""
