"""Logging with loguru to stderr; stdout is for the stdout transport."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from loguru import logger

from gridsim.errors import described
from gridsim.redaction import redacted

if TYPE_CHECKING:
    from loguru import Message, Record

LEVELS = ("debug", "info", "warning", "error")


_PACKAGES = ("gridsim", "gridsim_plugins")


@cache
def disable_once() -> None:
    """Disable the logs of gridsim in a program, which can enable them again.

    A later call does nothing.
    """
    for package in _PACKAGES:
        logger.disable(package)


def configure(level: str, *, as_json: bool) -> None:
    """Send all logs of `level` and above to stderr, one line each."""
    for package in _PACKAGES:
        logger.enable(package)
    logger.remove()
    # diagnose and backtrace would print the values of variables, which may be secrets.
    if as_json:
        logger.add(_write_json, level=level.upper(), diagnose=False, backtrace=False)
    else:
        logger.add(
            _write_line,
            level=level.upper(),
            format=_line,
            colorize=_has_colours(),
            diagnose=False,
            backtrace=False,
        )
    # The warnings of libraries that log by `logging`; without it Python prints them as they are.
    logging.lastResort = _ToLog(logging.WARNING)
    # Of the log of APScheduler only failures are useful.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class _ToLog(logging.Handler):
    """Passes the records of `logging` on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:
            text = f"(a message without a text: {type(error).__name__})"
        if record.exc_info and record.exc_info[1]:
            text += f": {described(record.exc_info[1])}"
        logger.log("ERROR" if record.levelno > logging.WARNING else "WARNING", "{}", text)


def configure_lines(take: Callable[[str, str], None], level: str) -> None:
    """Call `take` with the level and the text of each log line, instead of printing it."""
    for package in _PACKAGES:
        logger.enable(package)
    logger.remove()

    def sink(message: Message) -> None:
        take(message.record["level"].name, redacted(message.record["message"]))

    logger.add(sink, level=level, diagnose=False, backtrace=False)
    logging.lastResort = _ToLog(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


def print_error(error: BaseException) -> None:
    """Print the traceback of an error, without secrets."""
    _write_line(redacted("".join(traceback.format_exception(error))))


def _has_colours() -> bool:
    """Return whether standard error is a terminal that shows colours, and should."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stderr is not None and sys.stderr.isatty()


def _write_line(line: str) -> None:
    # Looked up for each line: a view that draws on the terminal replaces standard error.
    if sys.stderr is not None:
        sys.stderr.write(line)
        sys.stderr.flush()


def _line(record: Record) -> str:
    # Loguru formats the line: braces and newlines of the message must not reach the format.
    record["extra"]["line"] = _one_line(redacted(record["message"]))
    return "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {extra[line]}\n"


def _write_json(message: Message) -> None:
    record = message.record
    entry = {
        "time": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "message": redacted(record["message"]),
    }
    _write_line(json.dumps(entry) + "\n")


def _one_line(text: str) -> str:
    """Return the text with newlines and other control characters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
