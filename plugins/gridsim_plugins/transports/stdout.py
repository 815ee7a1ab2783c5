"""Readings to standard output, one payload per line."""

from __future__ import annotations

import errno
import os
import select
import sys
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TextIO

import numpy as np
from numpy.typing import ArrayLike

from gridsim.api import (
    Batch,
    Format,
    ReaderGone,
    Receipt,
    Register,
    RunContext,
    Settings,
    Transport,
    TransportError,
    hookimpl,
)

# A pipe without a reader; on Windows the error is EINVAL.
_GONE = (errno.EPIPE, errno.EINVAL) if sys.platform == "win32" else (errno.EPIPE,)


class Stdout(Transport[Settings]):
    """A transport that bypasses the buffers of Python: delivered data has left the process."""

    has_connection = False
    uses_stdout = True

    def __init__(self, settings: Settings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        self._fd = -1
        self._header_due = bool(format.header)
        self._torn = b""

    def describe(self) -> str:
        return "standard output"

    def connect(self) -> None:
        # If standard output is closed, its descriptor may belong to another file by now.
        out = _standard_output()
        if out is None or out.closed:
            raise TransportError("standard output is closed", permanent=True)
        try:
            out.flush()
            self._fd = out.fileno()
        except OSError as error:
            raise self._failure(error) from error

    def take_over(self, older: Stdout) -> bool:
        self._fd, self._torn, self._header_due = older._fd, older._torn, older._header_due
        return True

    def write(self, batch: Batch, receipt: Receipt) -> None:
        if self._header_due:
            self._send([self.format.header], [0, 0], receipt)
            self._header_due = False
        for _, payloads in self.format.encode_parts(batch):
            self._send(payloads.bodies, payloads.starts, receipt)

    def close(self) -> None:
        self._fd = -1

    def _send(self, bodies: Sequence[bytes], starts: ArrayLike, receipt: Receipt) -> None:
        data = b"\n".join((*bodies, b""))
        ends = list(accumulate(len(body) + 1 for body in bodies))
        sent = 0
        try:
            if self._torn and data.startswith(self._torn):
                sent = len(self._torn)
            elif self._torn:
                self._put(b"\n")
            self._torn = b""
            while sent < len(data):
                sent += self._put(memoryview(data)[sent:])
        except OSError as error:
            whole = bisect_right(ends, sent)
            receipt.delivered(int(np.asarray(starts)[whole]))
            # Bytes that were written cannot be undone: the next write completes the line.
            self._torn = data[ends[whole - 1] if whole else 0 : sent] or self._torn
            raise self._failure(error) from error
        receipt.delivered(int(np.asarray(starts)[-1]))

    def _put(self, data: bytes | memoryview) -> int:
        while True:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:
                # Another process that shares the pipe has made it non-blocking.
                select.select([], [self._fd], [])

    def _failure(self, error: OSError) -> TransportError:
        if error.errno not in _GONE:
            return TransportError(f"standard output: {error.strerror or error}")
        # Python flushes at exit, which must not fail on the same pipe.
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, self._fd)
        os.close(devnull)
        return ReaderGone("the reader of standard output has closed it")


def _standard_output() -> TextIO | None:
    """Return standard output, even if `print` writes to standard error, as on the command line."""
    return sys.__stdout__ if sys.stdout is sys.stderr else sys.stdout


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("stdout", Stdout)
