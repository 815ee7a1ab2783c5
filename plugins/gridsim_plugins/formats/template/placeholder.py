"""The syntax of a placeholder: `{EXPRESSION | filter | filter(argument, ...)}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gridsim_plugins.formats.template.errors import TemplateError

_FILTER = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<arguments>[^()]*)\))?\s*$")


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a placeholder."""

    name: str
    arguments: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A placeholder that has been split into its expression and filters."""

    expression: str
    expression_offset: int
    filters: tuple[Filter, ...]
    offset: int
    """The place of its opening brace."""


def split_text(raw: str, offset: int) -> Iterator[str | Placeholder]:
    """Yield the texts and placeholders of a string in turn; `{{` and `}}` are braces.

    `raw` is the string as it is written, `offset` its place in the template.
    """
    text, at = "", 0
    while at < len(raw):
        char = raw[at]
        if raw[at : at + 2] in ("{{", "}}"):
            text += char
            at += 2
        elif char == "{":
            end = raw.find("}", at)
            if end < 0:
                raise TemplateError(
                    "this placeholder has no closing brace; a brace itself is written {{",
                    offset + at,
                )
            if text:
                yield text
            text = ""
            yield _placeholder(raw[at + 1 : end], offset + at)
            at = end + 1
        elif char == "}":
            raise TemplateError(
                "this closing brace has no opening one; a brace itself is written }}", offset + at
            )
        else:
            text += char
            at += 1
    if text:
        yield text


def _placeholder(inner: str, offset: int) -> Placeholder:
    for place, char in enumerate(inner):
        if char in '\\{"':
            raise TemplateError(f"a placeholder cannot contain {char}", offset + 1 + place)
    head, *rest = inner.split("|")
    if not head.strip():
        raise TemplateError(
            "this placeholder is empty; name a field, such as {current_output}", offset
        )
    at = offset + 1 + len(head) + 1
    filters = []
    for piece in rest:
        filters.append(_filter(piece, at))
        at += len(piece) + 1
    start = offset + 1 + len(head) - len(head.lstrip())
    return Placeholder(head.strip(), start, tuple(filters), offset)


def _filter(piece: str, offset: int) -> Filter:
    start = offset + len(piece) - len(piece.lstrip())
    match = _FILTER.match(piece)
    if match is None:
        raise TemplateError("a filter is a name, or a name with arguments, such as round(1)", start)
    given = match["arguments"]
    arguments = () if given is None else tuple(one.strip() for one in given.split(","))
    return Filter(match["name"], arguments, start)
