"""Checks before parsing, against files that are designed to make the parser very slow."""

from __future__ import annotations

import re

MAX_BYTES = 16_000_000
MAX_DEPTH = 32

# The patterns never backtrack far, so they take linear time. Before Python 3.11.5 a possessive
# group around a possessive part matches wrongly, so strings of three quotes match one character
# at a time.
STRING = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*"{3,5}'
    r"|'''(?:(?!''').)*'{3,5}"
    r'|"(?!"")(?:[^"\\\n]++|\\[^\n])*+"'
    r"|'(?!'')[^'\n]*+'",
    re.DOTALL,
)
_TOKEN = re.compile(
    rf"(?P<string>{STRING.pattern})|#[^\n]*+|(?P<mark>[\[\]{{}}=,.\n])|(?P<torn>[\"'])"
    r"|[^\[\]{}=,.\n\"'#]++",
    re.DOTALL,
)


def too_deep(text: str) -> int | None:
    """Return the offset where keys and brackets first nest deeper than `MAX_DEPTH`, or None.

    The parser's time grows with the square of a dotted key's parts. Invalid text
    is checked up to its first unclosed string, where the parser stops too.
    """
    header = 0  # parts of the current table's name
    stack: list[int] = []  # for each open bracket, the levels that lead to it
    nested = 0  # the sum of the stack
    key = 0  # parts of the key whose value is being read
    dots = 0  # since the key began
    in_header = False
    line_is_empty = True
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        if token["torn"]:
            return None
        if mark == ".":
            dots += 1
        elif mark == "=":
            key, dots = dots + 1, 0
        elif mark == "[" and line_is_empty and not stack:
            in_header, header = True, 0
        elif mark in ("[", "{") and not in_header:
            stack.append(max(key, 1))
            nested += stack[-1]
            key = dots = 0
        elif mark in ("]", "}"):
            if in_header:
                header = max(header, dots + 1)
            elif stack:
                nested -= stack.pop()
            key = dots = 0
        elif mark in (",", "\n"):
            if mark == "\n":
                in_header = False
            key = dots = 0
        if (0 if in_header else header) + nested + max(key, dots + 1) > MAX_DEPTH:
            return token.start()
        if mark == "\n":
            line_is_empty = True
        elif token[0].strip() and not (in_header and mark == "["):
            line_is_empty = False
    return None


def torn_string(text: str) -> int | None:
    """Return the offset of the first unclosed string, or None."""
    return next((token.start() for token in _TOKEN.finditer(text) if token["torn"]), None)
