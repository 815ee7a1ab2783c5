"""JSON in any layout: pretty-printed, one large array, or values without lines between them."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from typing import IO, Any, Final

from gridsim.verify.advice import RepeatedFieldError, without_repeats

_PART = 1_000_000
# A text that still cannot be read when this much follows its error is damaged, not incomplete.
_BEYOND = 65_536
_LONGEST = 4_000_000
_BETWEEN: Final = re.compile(r"[\s,\[\]\x1e]*")
_NEXT: Final = re.compile(r"[}\]]\s*,?\s*\{|\n\s*\{")


class JsonStream:
    """The objects of a JSON text of any size; arrays are flattened."""

    def __init__(self, file: IO[bytes], names: Collection[str] = ()) -> None:
        """Read a file; an object is damaged if one of `names` has two values in it."""
        self._file = file
        hook = without_repeats(names)
        self._decode = json.JSONDecoder(object_pairs_hook=hook).raw_decode
        self._any = json.JSONDecoder().raw_decode
        # Used for its errors only: a damaged byte must not affect the rest.
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._at = self._start = 0
        self._line = 1
        self._ended = False

    def values(self) -> Iterator[tuple[int, dict[str, Any] | str]]:
        """Yield the line of each object and the object, or the text if it is not valid JSON."""
        while self._skip():
            self._start, line = self._at, self._line
            value = self._object()
            self._line += self._text.count("\n", self._start, self._at)
            yield line, value

    def _skip(self) -> bool:
        """Move to the next value; return False at the end of the text."""
        while True:
            match = _BETWEEN.match(self._text, self._at)
            end = self._at if match is None else match.end()
            self._line += self._text.count("\n", self._at, end)
            self._at = end
            if end < len(self._text):
                return True
            if not self._more():
                return False

    def _object(self) -> dict[str, Any] | str:
        while True:
            try:
                value, self._at = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - error.pos < _BEYOND and self._more():
                    continue
                return self._damaged()
            except RepeatedFieldError:
                start = self._at
                _, self._at = self._any(self._text, start)
                return self._text[start : self._at]
            except RecursionError:
                return self._damaged()
            return value if isinstance(value, dict) else repr(value)

    def _damaged(self) -> str:
        """Return the text up to the next object."""
        while (match := _NEXT.search(self._text, self._at + 1)) is None:
            if len(self._text) - self._at > _LONGEST or not self._more():
                break
        start, self._at = self._at, len(self._text) if match is None else match.end() - 1
        return self._text[start : self._at]

    def _more(self) -> bool:
        """Read a part of the file; return False at its end."""
        if self._ended:
            return False
        part = self._file.read(_PART)
        self._ended = not part
        self._text = self._text[self._at :] + self._utf8.decode(part, final=self._ended)
        self._at = self._start = 0
        return True
