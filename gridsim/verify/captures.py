"""The form of a user's text: CSV, JSON Lines, other JSON, or a capture with topics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

Form = Literal["csv", "lines", "stream", "capture", "wrapped"]
"""The forms: rows of CSV; a JSON value per line; JSON in any layout; a topic before the JSON of
each line (mosquitto_sub -v); a JSON object with a topic and a payload per line (-F %J)."""

_LINES = 200
# The topic ends with a space, or with the separator of a format such as `%t;%p`.
_PREFIXED: Final = re.compile(rb"\s*[^\s{\[\"][^{\[]*?[\s;|,:](?=[{\[]\s*[\"{\[\]}])")
# A message that is not a reading, such as `online`: words without any part of JSON.
_WORDS = re.compile(rb"[\w .:+-]{1,80}")
# The names of columns above tables of topics and messages, as `mysql --batch` writes them.
_HEADER = re.compile(rb"\w+(?:[\t;|,]\w+)+")
_EMPTY = (b"", b"(null)")
_NUMBER = re.compile(rb"[-+0-9]")


def form_of(first: bytes, *, whole: bool) -> Form:
    """Return the form of a text from its first bytes; `whole` means that they are the text."""
    lines = [line for line in first.splitlines()[:_LINES] if line.strip()]
    if not lines:
        return "lines"
    if len(lines) > 1 and not whole and len(lines) < _LINES:
        lines.pop()  # the sample may end within the value
    opens = [line.lstrip()[:1] in (b"{", b"[") for line in lines]
    prefixed = [bool(_PREFIXED.match(line)) for line in lines]
    if sum(prefixed) * 2 >= len(lines) or _is_mixed(lines, prefixed, opens):
        return "capture"
    if sum(opens) * 2 < len(lines) and not opens[0]:
        return "csv"
    if opens[0] and (lines[0].strip() == b"[" or _are_elements(lines)):
        return "stream"
    values = [_value(line) for line, opened in zip(lines, opens, strict=True) if opened]
    found = [value for value in values if value is not None]
    if not found or (sum(opens) * 2 <= len(lines) and len(found) * 2 < len(lines)):
        # No line is a whole value: values extend over several lines, or all lines are damaged.
        one_line = len(lines) == 1 or sum(opens) * 2 <= len(lines)
        return "stream" if one_line and _begins(first) else "lines"
    if any(isinstance(value, list) and value and is_wrapped(value[0]) for value in found):
        return "stream"
    if any(is_wrapped(value) for value in found):
        return "wrapped"
    return "lines"


def payloads(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Yield line number, payload, and whether it may be a reading, of a capture with topics."""
    for number, line in enumerate(lines, start=1):
        text = line.rstrip(b"\r\n")
        if not text.strip():
            continue
        if (match := _PREFIXED.match(text)) is not None:
            yield number, text[match.end() :], True
            continue
        if number == 1 and _HEADER.fullmatch(text):
            yield number, text, False
            continue
        _, _, payload = text.partition(b" ")
        payload = payload.strip()
        other = payload not in _EMPTY and bool(_WORDS.fullmatch(payload))
        yield number, payload, not other


def _value(line: bytes) -> object | None:
    try:
        found: object = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found


def _is_mixed(lines: list[bytes], prefixed: list[bool], opens: list[bool]) -> bool:
    """Return whether some lines are topics with JSON, and all others topics with other texts."""
    if any(opens) or not any(prefixed):
        return False
    line = lines[prefixed.index(True)]
    match = _PREFIXED.match(line)
    assert match is not None
    return b"/" in match[0] and _value(line[match.end() :]) is not None


def is_wrapped(value: object) -> bool:
    """Return whether a value is a message of a capture as JSON."""
    return isinstance(value, dict) and "topic" in value and "payload" in value


def _are_elements(lines: list[bytes]) -> bool:
    """Return whether most lines are elements of an array that extends over lines."""
    return sum(line.rstrip().endswith(b",") for line in lines) * 2 > len(lines)


def _begins(first: bytes) -> bool:
    """Return whether a text begins as an array, an object, or an array of objects does."""
    return bool(re.match(rb'\s*(?:\[\s*)*(?:\{\s*(?:"|\})|\]|\[$)', first))
