"""The errors that gridsim raises on purpose, and the exit status of each.

Anything else that escapes is a defect of gridsim.
"""

from __future__ import annotations


class GridsimError(Exception):
    """The base of all; the command line prints the message and exits with `exit_status`."""

    exit_status = 1


class UsageError(GridsimError):
    """The command line or the configuration is invalid."""

    exit_status = 2


class PluginError(GridsimError):
    """A plugin broke its contract while running; the message names the plugin."""


class TransportError(GridsimError):
    """The far end failed; raised by a transport's `connect`, `write`, `idle` or `close`.

    `permanent` means that a retry with the same settings cannot succeed (a rejected password,
    an untrusted certificate), so that a run can end at once with the cause.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class ReaderGone(TransportError):  # noqa: N818 - not an error
    """The reader closed its pipe on purpose (`| head`): the run ends with exit 0."""

    exit_status = 0

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class NeverConnectedError(GridsimError):
    """A transport did not connect once in the whole run."""

    exit_status = 3


class NotHeldError(GridsimError):
    """A check that the user asked for failed, for example `--strict`."""

    exit_status = 4
