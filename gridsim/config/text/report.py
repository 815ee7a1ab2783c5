"""The problems of a configuration, and the report of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gridsim.errors import UsageError
from gridsim.redaction import redacted

_WIDTH = 120  # characters shown of a long source line
_SHOWN = 100
"""The largest number of problems shown; a configuration with more usually has one common cause."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, and its place."""

    origin: str
    """The file as the user named it, or the flag (`--set a=1`) that the value came from."""
    message: str
    line: int = 0
    """The line, from 1; 0 for a flag."""
    column: int = 0
    """The column in characters, from 1."""
    source: str = ""
    """The source line, without any secret."""
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        # A flag is shown unescaped, as it was typed.
        origin = _printable(self.origin) if self.line else self.origin
        text = f"{origin}{place}: error: {_printable(self.message)}{hint}"
        if not self.source.strip():
            return text
        shown, caret = _window(redacted(self.source), self.column - 1)
        return f"{text}\n    {shown}\n    {caret}^"


class ConfigError(UsageError):
    """All problems of a configuration; `str` shows the first hundred and counts the rest."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        given = tuple(problems)
        file = {
            origin: place for place, origin in enumerate(dict.fromkeys(p.origin for p in given))
        }

        def place(problem: Problem) -> tuple[int, int, int]:
            return problem.line and 1 + file[problem.origin], problem.line, problem.column

        self.problems = tuple(sorted(given, key=place))
        shown = [str(problem) for problem in self.problems[:_SHOWN]]
        if (rest := len(self.problems) - _SHOWN) > 0:
            shown.append(f"and {rest:,} more errors")
        super().__init__("\n".join(shown))


def _printable(text: str) -> str:
    """Escape control characters, which a file name may contain."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _window(source: str, column: int) -> tuple[str, str]:
    """Return the part of the line around the column, and the indent of the caret under it."""
    start = max(0, column - _WIDTH // 2) if len(source) > _WIDTH else 0
    part = source[start : start + _WIDTH]
    # Tabs stay, so that the caret lines up; other control characters are replaced.
    shown = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in part)
    caret = "".join(char if char == "\t" else " " for char in shown[: column - start])
    return shown, caret
