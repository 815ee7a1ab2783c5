"""The check of what plugins return: shape, kind, and the largest value that passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gridsim.errors import PluginError
from gridsim.simulation.boundary import checked

IDS = ["HOME_1", "HOME_2"]


@pytest.mark.parametrize("value", [0.0, -0.0, 1e12, -1e12, 1])
def test_what_is_finite_and_not_too_large_passes(value: float) -> None:
    assert checked("the load 'x'", "load", [value, 0.0], IDS).tolist() == [value, 0.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.nextafter(1e12, 2e12), -1.1e12])
def test_anything_else_is_named_with_its_owner(value: float) -> None:
    with pytest.raises(PluginError) as failure:
        checked("the load 'x'", "load", np.array([0.0, value]), IDS, each="site")
    assert str(failure.value) == (
        f"the load 'x' returned load = {value} for HOME_2: a value must be finite and at most 1e+12"
    )


def test_nan_passes_where_gaps_are_allowed_and_infinity_never() -> None:
    assert np.isnan(checked("the DER type 'x'", "soc", [np.nan, 50.0], IDS, gaps=True)[0])
    with pytest.raises(PluginError, match="soc = inf for HOME_1"):
        checked("the DER type 'x'", "soc", [np.inf, 50.0], IDS, gaps=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, r"returned load of shape \(\) for 2 sites|not numeric: None"),
        ("ten", "returned load that is not numeric: 'ten'"),
        ([1.0], r"returned load of shape \(1,\) for 2 sites"),
        ([[1.0, 2.0]], r"returned load of shape \(1, 2\) for 2 sites"),
        ([1.0, {}], "returned load that is not numeric"),
        ([], r"returned load of shape \(0,\) for 2 sites"),
    ],
)
def test_what_is_no_column_of_numbers_is_refused(values: Any, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        checked("the load 'x'", "load", values, IDS, each="site")
