"""Standard output and standard error, closed, full or of a narrow encoding as they may be."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress

import typer


def print_out(text: str) -> None:
    """To standard output, and out of our buffer, so that a failure has a message."""
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left in the buffer would fail once more when Python ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            # Whoever read our list has seen enough of it.
            raise typer.Exit from None
        print(f"standard output: cannot be written: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from None


def escape_what_cannot_be_shown() -> None:
    """A path or value that the terminal's encoding lacks must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_all() -> None:
    """Both streams; each is None if it was closed when we were started."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()
