"""The handling of standard output and standard error that are closed, full, or with a limited
encoding.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress

import typer


def divert_prints() -> None:
    """Send the prints of plugins to standard error, because standard output is for gridsim's
    output.
    """
    sys.stdout = sys.stderr


def print_out(text: str) -> None:
    """Print to standard output and flush, so that a failure is reported."""
    if sys.__stdout__ is None:
        return
    try:
        print(text, file=sys.__stdout__, flush=True)
    except OSError as error:
        # The rest of the buffer would fail again when Python exits.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        if error.errno == errno.EPIPE:
            # The reader closed the pipe (`| head`): not an error.
            raise typer.Exit from None
        print(f"standard output: cannot be written: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from None


def escape_unencodable() -> None:
    """Escape characters that the terminal cannot encode, so that printing them does not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_all() -> None:
    """Flush both streams; each is None if it was closed when the process started."""
    for stream in (sys.__stdout__, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                # A closed terminal. Python flushes again at its end, and would exit with 120.
                with suppress(OSError, ValueError):
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, stream.fileno())
                    os.close(nowhere)
