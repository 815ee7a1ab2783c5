"""`--set KEY=VALUE`: values that override the file."""

from __future__ import annotations

from typing import Any

import tomli

from gridsim.config.text.guard import too_deep
from gridsim.config.text.locate import KeyPath


def parse(text: str) -> tuple[list[str], Any]:
    """Return the key's parts and the value. Raises ValueError with the reason."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("is written KEY=VALUE, such as transports.0.qos=1")
    if not is_utf8(text):
        raise ValueError("is not UTF-8")
    return _key(key), _value(value.strip())


def is_utf8(argument: str) -> bool:
    """Return whether an argument is UTF-8; Python decodes other bytes to surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in argument)


def put(data: dict[str, Any], parts: list[str], value: Any) -> tuple[KeyPath, int]:
    """Set a value in nested tables and arrays, and create the tables that are missing.

    Returns its path, and how many parts of the path existed before. Raises ValueError.
    """
    path: list[str | int] = []
    here: Any = data
    known = 0
    for place, part in enumerate(parts):
        at: str | int = part
        if isinstance(here, list):
            at = _index(here, part, ".".join(parts[:place]))
        elif not isinstance(here, dict):
            raise ValueError(f"{'.'.join(parts[:place])} is neither a table nor an array")
        path.append(at)
        if place == len(parts) - 1:
            here[at] = value
        else:
            if isinstance(at, str) and at not in here:
                here[at] = {}
            elif known == place:
                known += 1
            here = here[at]
    return tuple(path), known


def _key(text: str) -> list[str]:
    value: Any = None
    if "\n" not in text and too_deep(f"{text} = 0") is None:
        try:
            value = tomli.loads(f"{text} = 0")
        except ValueError:
            value = None
    if value is None:
        raise ValueError("is not a valid key; use dots, for example transports.0.qos=1")
    parts = []
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        parts.append(key)
    return parts


def _value(text: str) -> Any:
    if too_deep(f"value = {text}") is not None:
        raise ValueError("is nested too deeply")
    try:
        table = tomli.loads(f"value = {text}")
    except ValueError as error:
        if text[:1] in ("[", "{", '"', "'"):
            raise ValueError(f"has a value that is not valid TOML: {error}") from None
        return text
    # A line break in the value could add a second key.
    return table["value"] if table.keys() == {"value"} else text


def _index(array: list[Any], part: str, name: str) -> int:
    if not part.isdecimal():
        raise ValueError(f"{name} is an array: a number from 0 comes next, not {part!r}")
    if int(part) >= len(array):
        last = f"the last is {name}.{len(array) - 1}" if array else "it is empty"
        raise ValueError(f"{name} has no entry {part}: {last}")
    return int(part)
