"""Logging: loguru to stderr, so that stdout belongs to the stdout transport."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str, *, as_json: bool) -> None:
    """Sends all logs of `level` and above to stderr, one line each."""
    logger.remove()
    # diagnose and backtrace would print the values of variables, and so secrets.
    if as_json:
        logger.add(_write_json, level=level.upper(), diagnose=False, backtrace=False)
    else:
        logger.add(sys.stderr, level=level.upper(), format=_line, diagnose=False, backtrace=False)
    # Libraries log on their own; only what says that they fail is of use to a user.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


def _line(record: Record) -> str:
    # What loguru formats with this must hold no braces or newlines of the message's own.
    record["extra"]["line"] = _one_line(record["message"])
    return "<dim>{time:HH:mm:ss}</dim> <level>{level: <7}</level> {extra[line]}\n"


def _write_json(message: Message) -> None:
    record = message.record
    entry = {
        "time": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "message": record["message"],
    }
    sys.stderr.write(json.dumps(entry) + "\n")


def _one_line(text: str) -> str:
    """The text with newlines and other control characters written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
