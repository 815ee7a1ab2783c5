"""The errors that gridsim raises on purpose, and the exit status of each.

Anything else that escapes is a defect of gridsim.
"""

from __future__ import annotations


class GridsimError(Exception):
    """Base of all; the command line prints the message and exits with `exit_status`."""

    exit_status = 1


class UsageError(GridsimError):
    """The command line or the configuration cannot be used as it is."""

    exit_status = 2


class PluginError(GridsimError):
    """A plugin broke its contract while running; the message names the plugin."""


class TransportError(GridsimError):
    """Raised by a transport's `connect`, `write`, `idle` or `close`: the far end failed.

    `permanent` says that trying again with the same settings is of no use (a rejected
    password, an untrusted certificate), so that a run can end at once with the cause.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class ReaderGone(TransportError):  # noqa: N818 - says what happened; it is no failure
    """The consumer has left on purpose (`| head`): the run ends quietly with exit 0."""

    exit_status = 0

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class NeverConnectedError(GridsimError):
    """A transport did not connect once in the whole run."""

    exit_status = 3


class NotHeldError(GridsimError):
    """A promise that the user asked to be checked was not kept."""

    exit_status = 4
