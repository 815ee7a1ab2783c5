"""The run that an agent's tools act on: a running one, or one that is started for the agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from gridsim.errors import UsageError
from gridsim.running.runfile import RunRecord, running

_START_S = 30.0
_LOOK_S = 0.1
_END_S = 8.0
_HOW = 'start it with --web, or with [[views]] type = "web" in its configuration'


def address_of(name: str | None) -> str:
    """Return the address of the running run `name`; None: the only one. Raises UsageError."""
    every = running()
    if name is not None:
        every = [run for run in every if run.name == name]
        if not every:
            raise UsageError(f"--run: error: no run {name} is up on this machine")
    if not every:
        raise UsageError(
            "gridsim mcp: error: no run is up on this machine; start one, or give --config"
        )
    if len(every) > 1:
        names = ", ".join(f"{run.name} ({run.config})" for run in every[:5])
        raise UsageError(f"gridsim mcp: error: several runs are up, choose one with --run: {names}")
    address = _address(every[0])
    if not address:
        raise UsageError(f"gridsim mcp: error: run {every[0].name} has no HTTP API: {_HOW}")
    return address


@contextmanager
def started(words: Sequence[str]) -> Iterator[str]:
    """Start a run with these words of the command line, and yield its address.

    When the context ends, or this process is terminated or its terminal is closed, the run ends as
    after Ctrl-C, and logs its totals. Raises UsageError if it does not start; its log is on
    standard error. Call it from the main thread.
    """
    # Standard output belongs to the protocol: what a stdout transport writes is dropped.
    command = [sys.executable, "-m", "gridsim", *words]
    process: subprocess.Popen[bytes] | None = None
    received: int | None = None

    def leave(number: int, _: FrameType | None) -> None:
        nonlocal received
        received = number
        if process is None:
            return  # It is being started; what follows sends the signal.
        process.send_signal(signal.SIGINT)
        # A thread reads standard input, and no exception would end it.
        os._exit(128 + number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = [(number, signal.signal(number, leave)) for number in numbers]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if received is not None:
        leave(received, None)
    try:
        yield _wait(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for number, handler in before:
            signal.signal(number, handler)


def _wait(process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        for run in running():
            if run.pid == process.pid and (address := _address(run)):
                return address
        try:
            status = process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        raise UsageError(f"gridsim mcp: error: the run ended with {status} at its start, see above")
    raise UsageError(f"gridsim mcp: error: the run had no HTTP API after {_START_S:g} s: {_HOW}")


def _address(run: RunRecord) -> str:
    """Return the address that a view of the run has announced; "" if none has."""
    found = (values.get("url") for values in run.announced.values())
    return next((str(url) for url in found if url), "")
