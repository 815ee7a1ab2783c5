"""Places inside the texts of a configuration, and inside files that it names."""

from __future__ import annotations

import re

from gridsim.config.text.report import Problem

_ESCAPE = re.compile(
    r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[ \t]*\n[ \t\n]*|.)", re.DOTALL
)


def offset_in_string(raw: str, offset: int) -> int:
    """Return the place in a string of TOML, as it is written, of a character of its value."""
    quotes = 3 if raw.startswith(('"""', "'''")) else 1
    at = quotes
    if quotes == 3 and raw.startswith("\n", at):
        at += 1
    if raw.startswith("'"):
        return at + offset
    while at < len(raw) - quotes:
        escape = _ESCAPE.match(raw, at) if raw[at] == "\\" else None
        if escape is not None and "\n" in escape[0]:
            # A backslash at the end of a line: it and the white space are not in the value.
            at = escape.end()
            continue
        if not offset:
            break
        at = escape.end() if escape is not None else at + 1
        offset -= 1
    return at


def problem_in(
    origin: str, text: str, offset: int, message: str, suggestion: str | None
) -> Problem:
    """Return a problem at a place of a text with `\\n` line ends."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    source = text[start : end if end >= 0 else len(text)]
    line = text.count("\n", 0, offset) + 1
    return Problem(origin, message, line, offset - start + 1, source, suggestion)
