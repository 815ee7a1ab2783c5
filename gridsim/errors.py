"""The errors that gridsim raises on purpose, and the text of those that plugins raise.

Any other exception that reaches the user is a defect of gridsim.
"""

from __future__ import annotations

import dis
import signal
import threading
from pathlib import Path
from types import TracebackType

from gridsim.redaction import redacted

_LONGEST_TEXT = 300
_LONGEST_READ = 10_000
"""The length of the part of a text that is searched for secrets, before it is cut."""
_RAISE = dis.opmap["RAISE_VARARGS"]
_CORE = "gridsim"
_BUILT_IN = "gridsim_plugins"


class GridsimError(Exception):
    """The base of all errors; the command line prints the message and exits with `exit_status`.

    The message has no secrets.
    """

    exit_status = 1

    def __str__(self) -> str:
        return redacted(super().__str__())


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


def printable(text: object) -> str:
    """Return the text of a plugin, a file or a far end: one line, without control characters and
    secrets.

    A longer text is cut to 300 characters, followed by its full length.
    """
    try:
        whole = str(text)
    except Exception as error:
        whole = f"(a {type(text).__name__} without a text: {type(error).__name__})"
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in redacted(whole[:_LONGEST_READ])[: _LONGEST_TEXT + 1]
    )
    if len(shown) <= _LONGEST_TEXT:
        return shown
    return f"{shown[:_LONGEST_TEXT]}... ({len(whole):,} characters in all)"


def described(error: BaseException, by: object = None) -> str:
    """Return kind, text and place of an error that a plugin raised, in one line.

    For example "ValueError: no such tilt, for HOME_1_PV (my_ders.py:42 in step)", where "for
    HOME_1_PV" is a note of the error. The place is left out for a ValueError that a built-in plugin
    raises on purpose, because it is about the plugin's input. `by` is the plugin's method, whose
    place is named if the error was not raised in the plugin.
    """
    kind, text = type(error).__name__, printable(error)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list) and notes:
        text = ", ".join([*([text] if text else []), *map(printable, notes[:3])])
    place = _place(error) or place_of(by).strip(" ()")
    return f"{kind}: {text}{f' ({place})' if place else ''}" if text else f"{kind} ({place})"


def failure(
    plugin: str, error: BaseException, doing: str = "failed", by: object = None
) -> PluginError:
    """Return the PluginError for an exception that a plugin raised, with the plugin's name.

    Ctrl-C is not the plugin's error: it is raised again.
    """
    if isinstance(error, PluginError):
        return error
    if is_interrupt(error):
        raise error
    return PluginError(f"{plugin} {doing}: {described(error, by)}")


def place_of(method: object) -> str:
    """Return file, line and name of a plugin's method, for an error about its result.

    For example " (my_ders.py:40 in step)"; empty if there is no Python source, or it is gridsim's.
    """
    function = getattr(method, "__func__", method)
    code = getattr(function, "__code__", None)
    module = str(getattr(function, "__module__", ""))
    if code is None or module.partition(".")[0] == _CORE:
        return ""
    place = f"{Path(code.co_filename).name}:{code.co_firstlineno} in {code.co_name}"
    return f" ({printable(place)})"


def is_interrupt(error: BaseException) -> bool:
    """Return whether an exception is the user's Ctrl-C; a plugin may raise KeyboardInterrupt."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        and not _is_raised(error)
    )


def _place(error: BaseException) -> str:
    """Return file, line and function of the innermost frame of the plugin that was called."""
    found, package = None, ""
    for trace in _traces(error):
        own = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if own != _CORE and own in (package, package or own):
            found, package = trace, own
    if found is None:
        return ""
    if package == _BUILT_IN and isinstance(error, ValueError) and _is_raised(error):
        return ""
    code = found.tb_frame.f_code
    return printable(f"{Path(code.co_filename).name}:{found.tb_lineno} in {code.co_name}")


def _is_raised(error: BaseException) -> bool:
    """Return whether a `raise` statement raised the error, and not a call or a signal."""
    traces = _traces(error)
    return bool(traces) and traces[-1].tb_frame.f_code.co_code[traces[-1].tb_lasti] == _RAISE


def _traces(error: BaseException) -> list[TracebackType]:
    traces, trace = [], error.__traceback__
    while trace is not None:
        traces.append(trace)
        trace = trace.tb_next
    return traces
