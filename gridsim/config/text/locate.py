"""The places of keys and values in a TOML text, which the parser does not give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tomli

from gridsim.config.text.guard import STRING

KeyPath = tuple[str | int, ...]
"""The path from the top to a value: keys, and indices of arrays."""

_PLAIN_KEY = re.compile(r"[^\W\d]\w*")
_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Place:
    """The offsets of a key and its value in the text."""

    key: int
    """The start of the key, or of the header of the table."""
    value: int
    """The start of the value."""
    end: int
    """The end of the value."""


def key_text(path: KeyPath) -> str:
    """Return a path as a message shows it, for example `projects[0].ders[1].type`."""
    text = ""
    for part in path:
        if isinstance(part, int) or not _PLAIN_KEY.fullmatch(part):
            text += f"[{part!r}]"
        else:
            text += f".{part}" if text else part
    return text or "the configuration"


def locate(text: str) -> dict[KeyPath, Place]:
    """Return the places of all tables, arrays and values in valid TOML with `\\n` line ends."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[KeyPath, Place] = {}
        self.lengths: dict[KeyPath, int] = {}  # of the arrays of tables

    def scan(self) -> dict[KeyPath, Place]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            table = self._header() if self._sees("[") else self._pair(table)
            self._skip(_BLANK)
        return self.places

    def _header(self) -> KeyPath:
        start = self.at
        is_array = self.text.startswith("[[", start)
        self.at += 2 if is_array else 1
        parts = self._key()
        self.at += 2 if is_array else 1
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._inner((*path, part), start)
        path = (*path, parts[-1])
        if not is_array:
            # A table that was only implied so far gets the place of its own header.
            self.places[path] = Place(start, start, self.at)
            return path
        index = self.lengths.get(path, 0)
        self.lengths[path] = index + 1
        self.places.setdefault(path, Place(start, start, self.at))
        self.places[(*path, index)] = Place(start, start, self.at)
        return (*path, index)

    def _inner(self, path: KeyPath, start: int) -> KeyPath:
        """Return the path of a header's inner part; for an array of tables, that of its last."""
        self.places.setdefault(path, Place(start, start, start))
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def _pair(self, table: KeyPath) -> KeyPath:
        start = self.at
        parts = self._key()
        for count in range(1, len(parts)):
            self.places.setdefault((*table, *parts[:count]), Place(start, start, start))
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value((*table, *parts), start)
        return table

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            if quoted := STRING.match(self.text, self.at):
                parts.append(str(tomli.loads(f"key = {quoted[0]}")["key"]))
                self.at = quoted.end()
            else:
                bare = _BARE.match(self.text, self.at)
                if bare is None:
                    raise ValueError(f"no key at offset {self.at}: the text is not valid TOML")
                parts.append(bare[0])
                self.at = bare.end()
            self._skip(_SPACE)
            if not self._sees("."):
                return parts
            self.at += 1

    def _value(self, path: KeyPath, key: int | None = None) -> None:
        start = self.at
        if self._sees("["):
            self._array(path)
        elif self._sees("{"):
            self._inline_table(path)
        elif value := STRING.match(self.text, start) or _SCALAR.match(self.text, start):
            self.at = start + len(value[0].rstrip())
        else:
            raise ValueError(f"no value at offset {start}: the text is not valid TOML")
        self.places[path] = Place(start if key is None else key, start, self.at)

    def _array(self, path: KeyPath) -> None:
        for index, _ in enumerate(self._items("]")):
            self._value((*path, index))

    def _inline_table(self, path: KeyPath) -> None:
        for _ in self._items("}"):
            self._pair(path)

    def _items(self, close: str) -> Iterator[None]:
        """Yield at the start of each item, and move past the closing bracket."""
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self._sees(close):
                self.at += 1
                return
            yield
            self._skip(_BLANK)
            if self._sees(","):
                self.at += 1

    def _sees(self, mark: str) -> bool:
        return self.text.startswith(mark, self.at)

    def _skip(self, blank: re.Pattern[str]) -> None:
        match = blank.match(self.text, self.at)
        self.at = match.end() if match else self.at
