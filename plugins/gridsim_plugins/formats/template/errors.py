"""The errors of templates."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_NAMED = 40


class TemplateError(ValueError):
    """An error at a character of a template."""

    def __init__(self, message: str, offset: int, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.suggestion = suggestion


def unknown(what: str, name: str, known: Iterable[str], offset: int) -> TemplateError:
    """Return the error of an unknown name, with the nearest known one or the list of all."""
    names = list(known)
    near = get_close_matches(name, names, 1)
    if near:
        return TemplateError(f"there is no {what} {name!r}", offset, near[0])
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return TemplateError(f"there is no {what} {name!r}; there are: {some}", offset)
