"""A plugin for pytest, loaded by `mutants.py`, that chooses and orders the tests of a mutant.

mutmut runs for a mutant of a function the tests that called the function. It does not know that a
result is shared: a simulation that a fixture or a cache keeps for all tests of a file calls the
function in the first test only. So all tests of a file count, if one of them calls the function.

The files are sorted by their time: most mutants are noticed by a quick file.

mutmut calls every function through a wrapper, which the tests of `_TRACED` would take for a
plugin's. They are left out.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

STATS = Path("mutmut-stats.json")
_TRACED = "::test_a_plugin_that_misbehaves_is_named["


def file_of(test: str) -> str:
    """Return the file of a test."""
    return test.split("::")[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Count the time of fixtures, too: mutmut derives the longest time of a mutant from the sum."""
    if _collects() and call.when == "setup":
        _state().duration_by_test[item.nodeid] += call.duration


def pytest_sessionfinish() -> None:
    """Extend the tests of each function to all tests of their files."""
    if not _collects():
        return
    of_file: dict[str, set[str]] = defaultdict(set)
    for test in _state().duration_by_test:
        of_file[file_of(test)].add(test)
    for tests in _state().tests_by_mangled_function_name.values():
        for file in {file_of(test) for test in tests}:
            tests |= of_file[file]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of `_TRACED`, and run the quickest file first."""
    items[:] = [item for item in items if _TRACED not in item.nodeid]
    if not STATS.exists():
        return
    took: Counter[str] = Counter()
    for test, seconds in json.loads(STATS.read_text(encoding="utf-8"))["duration_by_test"].items():
        took[file_of(test)] += seconds
    items.sort(key=lambda item: took[file_of(item.nodeid)])


def _collects() -> bool:
    return os.environ.get("MUTANT_UNDER_TEST") == "stats"


def _state() -> Any:
    return import_module("mutmut.state").state()
