"""The objects that copies of a simulation share, because they never change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from gridsim.simulation.scenario import Scenario

Memo = dict[int, Any]
"""The argument `memo` of `copy.deepcopy`: the copy of each object, by its id."""

_ATOMS = (str, bytes, int, float, bool, np.generic, type, type(None))


def shared(scenario: Scenario) -> Memo:
    """Return a memo by which `copy.deepcopy` shares the scenario and all its parts."""
    memo: Memo = {}
    _share(scenario, memo)
    return memo


def _share(part: Any, memo: Memo) -> None:
    if isinstance(part, _ATOMS) or id(part) in memo:
        return
    memo[id(part)] = part
    if is_dataclass(part):
        for field in fields(part):
            _share(getattr(part, field.name), memo)
    elif isinstance(part, Mapping):
        for value in part.values():
            _share(value, memo)
    elif isinstance(part, Collection) and not isinstance(part, np.ndarray):
        # The ids of many devices need no separate entries, because texts are never copied.
        for value in part:
            if isinstance(value, str):
                break
            _share(value, memo)
