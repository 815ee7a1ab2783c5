"""The filters of a placeholder: the way in which its value is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gridsim.api import Codes
from gridsim_plugins.formats.template.errors import TemplateError, unknown
from gridsim_plugins.formats.template.fields import FieldInfo, FieldKind
from gridsim_plugins.formats.template.placeholder import Filter, Placeholder

MOST_DIGITS = 9
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
Missing = Literal["write", "omit", "omit_element"]
TimeStyle = Literal["rfc3339", "local", "s", "ms"]
_WORDS = {"number": "a number", "text": "a text", "truth": "true or false", "time": "a time"}


@dataclass(frozen=True, slots=True)
class Style:
    """The way in which a value is written."""

    digits: int | None = None
    """The decimals of a number, or of the seconds of a time."""
    as_text: bool = False
    """True if a number, true or false is written in quotes."""
    missing: Missing = "write"
    missing_text: str | None = None
    """The text to write for a missing number; None: null."""
    time: TimeStyle = "rfc3339"
    case: Literal["upper", "lower"] | None = None
    choice: tuple[str, str] | None = None
    """The texts for true and for false."""
    codes: Codes | None = None
    """The names of the values of a number, which are written instead of it."""


def read_style(placeholder: Placeholder, info: FieldInfo, style: Style) -> Style:
    """Return `style` as modified by the filters of a placeholder. Raises TemplateError."""
    kind = info.kind
    seen: set[str] = set()
    for one in placeholder.filters:
        if one.name not in _FILTERS:
            raise unknown("filter", one.name, _FILTERS, one.offset)
        kinds, apply = _FILTERS[one.name]
        if one.name == "else" and info.kind == "text" and not info.may_miss:
            raise TemplateError(f"{placeholder.expression!r} is never missing", one.offset)
        if kind not in kinds:
            allowed = " or ".join(_WORDS[name] for name in kinds)
            raise TemplateError(
                f"the filter {one.name} is for {allowed}, and {placeholder.expression!r} is "
                f"{_WORDS[kind]}",
                one.offset,
            )
        group = _GROUPS.get(one.name, one.name)
        if group in seen:
            raise TemplateError(f"a filter like {one.name} was already used", one.offset)
        seen.add(group)
        style = apply(one, style)
        if one.name == "name":
            style = replace(style, codes=_codes(one, placeholder, info))
            kind = "text"
    return style


def _codes(one: Filter, placeholder: Placeholder, info: FieldInfo) -> Codes:
    """Return the names of the values of a field. Raises TemplateError if they have none."""
    if info.codes is None:
        raise TemplateError(
            f"the filter name is for state and alarms, and the values of "
            f"{placeholder.expression!r} have no names",
            one.offset,
        )
    return info.codes


def _round(one: Filter, style: Style) -> Style:
    return replace(style, digits=_digits(one, 0))


def _text(one: Filter, style: Style) -> Style:
    _none(one)
    return replace(style, as_text=True)


def _name(one: Filter, style: Style) -> Style:
    _none(one)
    return style


def _else(one: Filter, style: Style) -> Style:
    if len(one.arguments) != 1 or not one.arguments[0]:
        raise TemplateError(
            "else takes the value to write where there is none: else(null), else(omit), "
            "else(omit_element), else(0), or a text",
            one.offset,
        )
    given = one.arguments[0]
    if given == "omit":
        return replace(style, missing="omit")
    if given == "omit_element":
        return replace(style, missing="omit_element")
    return replace(style, missing_text=None if given == "null" else given)


def _rfc3339(one: Filter, style: Style) -> Style:
    return replace(style, time="rfc3339", digits=_digits(one, 3))


def _local(one: Filter, style: Style) -> Style:
    return replace(style, time="local", digits=_digits(one, 3))


def _s(one: Filter, style: Style) -> Style:
    return replace(style, time="s", digits=_digits(one, 0))


def _ms(one: Filter, style: Style) -> Style:
    _none(one)
    return replace(style, time="ms", digits=0)


def _upper(one: Filter, style: Style) -> Style:
    _none(one)
    return replace(style, case="upper")


def _lower(one: Filter, style: Style) -> Style:
    _none(one)
    return replace(style, case="lower")


def _as(one: Filter, style: Style) -> Style:
    if len(one.arguments) != 2 or not all(one.arguments):
        raise TemplateError(
            "as takes the texts or numbers for true and for false: as(1, 0), as(online, offline)",
            one.offset,
        )
    return replace(style, choice=(one.arguments[0], one.arguments[1]))


_FILTERS: Mapping[str, tuple[tuple[FieldKind, ...], Callable[[Filter, Style], Style]]] = {
    "round": (("number",), _round),
    "name": (("number",), _name),
    "else": (("number", "text"), _else),
    "text": (("number", "truth", "time"), _text),
    "rfc3339": (("time",), _rfc3339),
    "local": (("time",), _local),
    "s": (("time",), _s),
    "ms": (("time",), _ms),
    "upper": (("text",), _upper),
    "lower": (("text",), _lower),
    "as": (("truth",), _as),
}
_GROUPS = {
    **dict.fromkeys(("rfc3339", "local", "s", "ms"), "time"),
    **dict.fromkeys(("upper", "lower"), "case"),
}


def _none(one: Filter) -> None:
    if one.arguments not in ((), ("",)):
        raise TemplateError(f"{one.name} takes no argument", one.offset)


def _digits(one: Filter, default: int) -> int:
    if one.arguments in ((), ("",)):
        return default
    given = one.arguments[0]
    if len(one.arguments) > 1 or not re.fullmatch(r"\d", given, re.ASCII):
        raise TemplateError(
            f"{one.name} takes a number of decimals from 0 to {MOST_DIGITS}, "
            f"not {', '.join(one.arguments)}",
            one.offset,
        )
    return int(given)
