"""`python -m gridsim` and the command `gridsim`."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

# What Typer meets when it prints a help text: everything else writes through `print_out`.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command line, and end with its exit status."""
    try:
        from gridsim.cli import app

        app()
    except KeyboardInterrupt:
        # Ctrl-C while modules are imported, or before a run handles it.
        sys.exit(130)
    except SystemExit as end:
        if end.code in (0, None):
            _flush_output()
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _refuse_output(error)


def _flush_output() -> None:
    """Exit with 1 and the reason if standard output, such as a full disk, takes no more."""
    if sys.__stdout__ is None:
        return
    try:
        sys.__stdout__.flush()
    except OSError as error:
        _refuse_output(error)


def _refuse_output(error: OSError) -> None:
    # The rest of the buffer would fail again when Python exits.
    with suppress(OSError, ValueError):
        if sys.__stdout__ is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    print(f"standard output: cannot be written: {error.strerror}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
