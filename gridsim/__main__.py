"""`python -m gridsim` and the command `gridsim`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading

# What Typer meets when it prints a help text: everything else writes through `print_out`.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command line, and end with its exit status."""
    # Some modules turn a KeyboardInterrupt during their import into another error.
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    sys.excepthook = lambda _, error, __: _print_error(error)
    sys.unraisablehook = lambda found: _print_error(found.exc_value)
    threading.excepthook = lambda found: _print_error(found.exc_value)
    try:
        from gridsim.cli import app

        signal.signal(signal.SIGINT, before)
        app()
    except KeyboardInterrupt:
        # Ctrl-C before a run handles it.
        sys.exit(130)
    except SystemExit as end:
        if end.code in (0, None):
            _flush_output()
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _refuse_output(error)


def _print_error(error: BaseException | None) -> None:
    """Print the traceback of an uncaught error, without secrets."""
    from gridsim.logs import print_error

    if error is not None and not isinstance(error, SystemExit):
        print_error(error)


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
    try:
        if sys.__stdout__ is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    except (OSError, ValueError):
        pass
    print(f"standard output: cannot be written: {error.strerror}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
