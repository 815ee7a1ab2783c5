"""The messages for pydantic's errors, in the terms of TOML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from gridsim.contracts.hints import nearest

_BY_TYPE: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    "missing": "is missing",
    "greater_than": lambda ctx: f"must be greater than {_plain(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"must be at least {_plain(ctx['ge'])}",
    "less_than": lambda ctx: f"must be less than {_plain(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"must be at most {_plain(ctx['le'])}",
    "multiple_of": lambda ctx: f"must be a multiple of {_plain(ctx['multiple_of'])}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "string_pattern_mismatch": lambda ctx: f"must match the pattern {ctx['pattern']}",
    "string_too_short": lambda ctx: _at_least(ctx["min_length"], "character"),
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "too_short": lambda ctx: _at_least(ctx["min_length"], "entry"),
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} entries",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "set_type": "must be an array",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
    "enum": lambda ctx: f"must be {ctx['expected']}",
    "value_error": lambda ctx: str(ctx["error"]),
    "assertion_error": lambda ctx: str(ctx["error"]),
}


def worded(details: Sequence[ErrorDetails], value: Any) -> tuple[str, str | None]:
    """Return the message about one value, and a suggestion or None.

    A value that no member of a union accepts has several errors.
    """
    messages = []
    suggestion = None
    for detail in details:
        context = detail.get("ctx", {})
        message = _BY_TYPE.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])
        messages.append(message if isinstance(message, str) else message(context))
        if detail["type"] in ("literal_error", "enum") and isinstance(value, str):
            choices = [choice.strip("'") for choice in _choices(context["expected"])]
            suggestion = nearest(value, choices) or suggestion
    unique = list(dict.fromkeys(messages))
    rest = [message.removeprefix("must be ") for message in unique[1:]]
    return " or ".join([*unique[:1], *rest]), suggestion


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _at_least(count: int, what: str) -> str:
    if count == 1:
        return "must not be empty"
    return f"must have at least {count} {'entries' if what == 'entry' else f'{what}s'}"


def _plain(bound: Any) -> str:
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)
