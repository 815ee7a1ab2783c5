"""The parts of a log that rows look for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_EVERY_S = 10
_LINE = re.compile(r"(\d\d:\d\d:\d\d) (WARNING|ERROR  ) (.*)")


def errors(log: str) -> list[str]:
    """Return the texts of the errors in a log."""
    return [
        match[3]
        for line in log.splitlines()
        if (match := _LINE.match(line)) and match[2].startswith("E")
    ]


def repeated(log: str) -> list[str]:
    """Return warnings and errors that were logged twice within ten seconds, digits apart."""
    last: dict[str, datetime] = {}
    found = []
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        at = datetime.strptime(match[1], "%H:%M:%S")
        text = re.sub(r"[\d,.]+", "#", match[3])
        before = last.get(text)
        # The stamps are whole seconds.
        if before is not None and at - before < timedelta(seconds=_EVERY_S - 1):
            found.append(f"twice within 10 s: {match[3]}")
            continue
        last[text] = at
    return found


def late_ticks(log: str) -> int:
    """Return the number of late ticks in the closing lines."""
    for line in log.splitlines():
        if " caught up" in line:
            return int(line.rpartition("; ")[2].split()[0].replace(",", ""))
    return 0
