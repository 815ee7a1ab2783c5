"""The parser of a template's JSON, which records the place of every part. It accepts what the
standard (RFC 8259) accepts.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from gridsim_plugins.formats.template.errors import TemplateError
from gridsim_plugins.formats.template.nodes import Array, Constant, Node, Object, Text
from gridsim_plugins.formats.template.placeholder import split_text

MOST_CHARACTERS = 262_144
_DEEPEST = 32
_BLANK = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\.)*)"')
_CONSTANT = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)
_WORD = re.compile(r"[^\s,:\[\]{}\"]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = '"\\/bfnrt'
REPEAT = "..."
"""The last element of an array whose element before it is repeated."""


def parse(text: str) -> Node:
    """Return the parts of a template. Raises TemplateError."""
    check_size(text)
    parser = _Parser(text)
    node = parser.value(0)
    parser.skip()
    if parser.at < len(text):
        raise TemplateError("the template ends here, but more text follows", parser.at)
    return node


def check_size(text: str) -> None:
    """Raise TemplateError if a template is empty or too large."""
    if not text.strip():
        raise TemplateError("the template is empty", 0)
    if len(text) > MOST_CHARACTERS:
        raise TemplateError(
            f"the template has {len(text):,} characters; the most are {MOST_CHARACTERS:,}", 0
        )


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def value(self, depth: int) -> Node:
        self.skip()
        start = self.at
        if depth > _DEEPEST:
            raise TemplateError(f"the template nests deeper than {_DEEPEST} levels", start)
        char = self.text[start : start + 1]
        if char == "{":
            return self._object(depth)
        if char == "[":
            return self._array(depth)
        if char == '"':
            return self._string()
        match = _CONSTANT.match(self.text, start)
        word = _WORD.match(self.text, start)
        if match is None or word is None or match.end() != word.end():
            self._no_value(word)
        self.at = match.end()
        return Constant(match[0], start)

    def _no_value(self, word: re.Match[str] | None) -> NoReturn:
        if self.at >= len(self.text):
            raise TemplateError("the template ends here, where a value is expected", self.at)
        if word is None:
            raise TemplateError("a value is expected here", self.at)
        raise TemplateError(
            f"{word[0][:40]!r} is not a value of JSON; write a text in quotes", self.at
        )

    def _object(self, depth: int) -> Object:
        start = self.at
        self.at += 1
        members: list[tuple[Text, Node]] = []
        seen: set[str] = set()
        while not self._closes("}", bool(members), start):
            if self.text[self.at : self.at + 1] != '"':
                self._no_key()
            opening = self.at
            key = self._string()
            raw = self.text[opening : self.at]
            if raw in seen or (key.constant is not None and key.constant in seen):
                raise TemplateError("this key occurs twice", opening)
            seen.add(raw if key.constant is None else key.constant)
            self.skip()
            if self.text[self.at : self.at + 1] != ":":
                raise TemplateError("a colon is expected here, after the key", self.at)
            self.at += 1
            members.append((key, self.value(depth + 1)))
        return Object(tuple(members), start)

    def _no_key(self) -> NoReturn:
        hint = "a key in quotes is expected here"
        if re.match(r"\w+\s*[|}*+)/-]", self.text[self.at :]):
            hint += '; write a placeholder in quotes, too: "{current_output}"'
        raise TemplateError(hint, self.at)

    def _array(self, depth: int) -> Array:
        start = self.at
        self.at += 1
        items: list[Node] = []
        while not self._closes("]", bool(items), start):
            items.append(self.value(depth + 1))
        repeated = [
            place
            for place, item in enumerate(items)
            if isinstance(item, Text) and item.constant == REPEAT
        ]
        if not repeated:
            return Array(tuple(items), False, start)
        if repeated != [1] or len(items) != 2:
            raise TemplateError(
                f'"{REPEAT}" repeats the element before it, and the array has these two only: '
                f'[ELEMENT, "{REPEAT}"]',
                items[repeated[0]].offset,
            )
        return Array((items[0],), True, start)

    def _closes(self, bracket: str, has_items: bool, start: int) -> bool:
        """Move to the next item, or past the closing bracket; return true if it was the bracket."""
        self.skip()
        char = self.text[self.at : self.at + 1]
        if char == bracket:
            self.at += 1
            return True
        if not char:
            raise TemplateError(f"this {self.text[start]} is never closed", start)
        if not has_items:
            return False
        if char != ",":
            raise TemplateError(f"a comma or {bracket} is expected here", self.at)
        comma = self.at
        self.at += 1
        self.skip()
        if self.text[self.at : self.at + 1] == bracket:
            raise TemplateError("this comma is followed by nothing", comma)
        return False

    def _string(self) -> Text:
        start = self.at
        match = _STRING.match(self.text, start)
        if match is None:
            raise TemplateError(
                "this text has no closing quote on its line; a line break is written \\n", start
            )
        self.at = match.end()
        for escape in _ESCAPE.finditer(match[0]):
            if len(escape[1]) == 1 and escape[1] not in _ESCAPED:
                raise TemplateError(
                    f"{escape[0]} is not an escape of JSON; a backslash is written \\\\",
                    start + escape.start(),
                )
        parts = []
        for part in split_text(match[1], start + 1):
            if isinstance(part, str):
                part = json.loads(f'"{part}"', strict=False)
                try:
                    part.encode()
                except UnicodeEncodeError:
                    raise TemplateError("this text has half of a surrogate pair", start) from None
            parts.append(part)
        return Text(tuple(parts), start)
