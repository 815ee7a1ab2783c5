"""Advice for values and records of a user's data that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Final

from gridsim.helpers.tables import Decimal, is_missing, why_not
from gridsim.verify.fields import TIMES
from gridsim.verify.packing import packed_value
from gridsim.verify.values import booleans, numbers

_TEXTS: Final = ("der_id", "project_id", "units", "type")
_BOOLEANS: Final = ("is_online", "is_standalone")
_CONSTANTS: Final = ("NaN", "Infinity", "-Infinity")


def advice_for(field: str, value: Any, text: bool, decimal: Decimal) -> str:
    """Return why a value cannot be read, or what to do; empty if the reason is obvious.

    With `text`, values may be written as text.
    """
    if value is None or (isinstance(value, str) and is_missing(value)):
        return ""
    if field in TIMES:
        return "write times as ISO 8601, or as s or ms since 1970"
    if isinstance(value, dict | list):
        return "nested values are not read"
    if not isinstance(value, str) or field in _TEXTS:
        return ""
    if not text and _is_readable(field, value):
        return "it is written as text: --loose-types accepts that"
    if field in _BOOLEANS:
        return "write true or false"
    _, _, why = why_not(value.strip(), decimal).partition(", ")
    if why == "which is not a number":
        return ""
    return why.replace("set decimal", "give --decimal")


def _is_readable(field: str, value: str) -> bool:
    if field in _BOOLEANS:
        return int(booleans([value], text=True)[0]) >= 0
    return bool(numbers([value], 1, text=True)[0] > -(2**31) + 1)


class RepeatedFieldError(ValueError):
    """An object has a field twice, with different values."""


def without_repeats(names: Collection[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Return a hook for JSON objects that refuses a field of `names` with two values."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            for name, value in pairs:
                if name in names and found[name] != value:
                    problem = f"has the field {name!r} twice, with different values"
                    raise RepeatedFieldError(problem)
        return found

    return once


def path_to(name: str, value: Any, depth: int = 5) -> str | None:
    """Return the path of jq from a value to the objects within that have a name, such as
    `.hits[]`; None if there are none.
    """
    if isinstance(value, dict) and name in value:
        return ""
    if not depth or not value or not isinstance(value, dict | list):
        return None
    if isinstance(value, list):
        inner = path_to(name, value[0], depth - 1)
        return None if inner is None else f"[]{inner}"
    for key, other in value.items():
        if (inner := path_to(name, other, depth - 1)) is not None:
            return f".{key}{inner}" if key.isidentifier() else f"[]{inner}"
    return None


def why_no_record(text: bytes, names: Collection[str]) -> str:
    """Return why a text is not a record or an array of records; empty if it is one.

    A record with a field of `names` that has two values is not one.
    """

    if packed := packed_value(text.decode(errors="replace")):
        return packed

    def refuse(constant: str) -> None:
        raise ValueError(f"is not valid JSON: {constant} is not a value of JSON")

    try:
        found = json.loads(text, object_pairs_hook=without_repeats(names), parse_constant=refuse)
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()):
            return "is not valid JSON: it ends in the middle of a record"
        at = f"line {error.lineno}, " if error.lineno > 1 else ""
        problem = error.msg.lower().removesuffix(" at").removesuffix(" starting")
        return f"is not valid JSON: {problem} at {at}column {error.colno}"
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text at byte {error.start + 1}"
    except RecursionError:
        return "is nested too deeply"
    except ValueError as error:  # a repeated field, a constant, or a number that is too long
        return str(error)
    records = found if isinstance(found, list) else [found]
    if all(isinstance(record, dict) for record in records):
        return ""
    return "has values without the names of their fields"
