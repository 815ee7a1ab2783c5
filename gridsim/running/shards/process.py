"""A shard in a child process of the driver, on the same machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from gridsim.running.shards.messages import (
    Question,
    Schedule,
    ShardLostError,
    ShardReport,
    ShardSpec,
    StampedInstruction,
)

_CLOSE_S: Final = 1.0


class ProcessHost:
    """The `ShardHost` of a child process; calls go through a pipe, one at a time."""

    def __init__(self, spec: ShardSpec) -> None:
        """Start the process, which makes the shard when `start` is called. Raises OSError."""
        self._name = spec.name
        self._lock = threading.Lock()
        self._child = subprocess.Popen(
            # -P: a file of the working folder must not shadow a module.
            [sys.executable, "-P", "-m", "gridsim.running.shards.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(spec)

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._child.pid

    def start(self) -> ShardReport:
        """Make the plan of the shard, and connect its transports."""
        return self._call("start")  # type: ignore[no-any-return]

    def follow(self, schedule: Schedule) -> None:
        """Run the ticks that are allowed by this schedule from now on."""
        self._call("follow", schedule)

    def advance(
        self,
        until: int,
        instructions: Sequence[StampedInstruction],
        since: int,
        wait_s: float,
    ) -> ShardReport:
        """Allow the ticks below `until`, and report what is new."""
        return self._call("advance", until, instructions, since, wait_s)  # type: ignore[no-any-return]

    def pause(self) -> int:
        """Stop ticks after the present one, and return the index of the next."""
        return self._call("pause")  # type: ignore[no-any-return]

    def ask(self, question: Question, arguments: Sequence[Any]) -> Any:
        """Return what the shard's monitor answers."""
        return self._call("ask", question, arguments)

    def confirm(self, timeout_s: float) -> bool:
        """Wait until no reading is on its way, and return whether that is so."""
        return self._call("confirm", timeout_s)  # type: ignore[no-any-return]

    def save_checkpoint(self, timeout_s: float) -> bool:
        """Write a checkpoint now, in a pause, and return whether it is on the disk."""
        return self._call("save_checkpoint", timeout_s)  # type: ignore[no-any-return]

    def stop(self, flush_s: float | None, since: int) -> ShardReport:
        """End the shard, and report once more."""
        return self._call("stop", flush_s, since)  # type: ignore[no-any-return]

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
            done, answer = pickle.loads(self._receive())
        if done:
            return answer
        raise answer

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
