"""The tables that a program gives as a configuration, as plain TOML values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, time
from typing import Any, Final

import numpy as np

from gridsim.config.text.guard import MAX_DEPTH
from gridsim.config.text.locate import KeyPath, key_text
from gridsim.config.text.overrides import is_utf8
from gridsim.config.text.report import ConfigError, Problem

_KINDS: Final = "a text, a number, true or false, a date, a list or a dict"


def plain_tables(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the tables with values that TOML has too.

    Sequences become lists, NumPy's numbers and arrays those of Python, and paths texts. Raises
    ConfigError with all other values.
    """
    problems: list[Problem] = []
    plain = _plain(tables, (), problems)
    if problems:
        raise ConfigError(problems)
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any, path: KeyPath, problems: list[Problem]) -> Any:
    if len(path) > MAX_DEPTH:
        # At once: tables that hold themselves have no end.
        message = f"is nested deeper than {MAX_DEPTH} levels"
        raise ConfigError([Problem(key_text(path), message)])
    if isinstance(value, Mapping):
        return dict(_items(value, path, problems))
    if isinstance(value, list | tuple | range):
        return [_plain(inner, (*path, place), problems) for place, inner in enumerate(value)]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), path, problems)
    if isinstance(value, os.PathLike):
        return _plain(os.fspath(value), path, problems)
    if isinstance(value, str):
        if is_utf8(value):
            return str(value)
        problems.append(Problem(key_text(path), "is not UTF-8"))
    elif isinstance(value, bool | date | time):
        return value
    elif isinstance(value, int | float):
        # Also those of enumerations.
        return int(value) if isinstance(value, int) else float(value)
    elif value is None:
        message = "must not be None: leave the key out for its default"
        problems.append(Problem(key_text(path), message))
    else:
        message = f"must be {_KINDS}, not {type(value).__name__}"
        problems.append(Problem(key_text(path), message))
    return None


def _items(
    table: Mapping[Any, Any], path: KeyPath, problems: list[Problem]
) -> list[tuple[str, Any]]:
    items = []
    for key, value in table.items():
        if not isinstance(key, str) or not is_utf8(key):
            problems.append(Problem(key_text(path), f"has the key {key!r}, which is not a text"))
            continue
        items.append((str(key), _plain(value, (*path, str(key)), problems)))
    return items
