"""The contract tests of gridsim, and one of the method."""

from __future__ import annotations

import numpy as np
from gridsim.testing import BaselineContract, make_members, make_tick

from .newname import NewName


class TestNewName(BaselineContract):
    baseline = NewName
    settings = ({}, {"margin": 10.0})


def test_it_adds_the_margin() -> None:
    members = make_members(NewName.Settings, [{"margin": 10.0}])
    baseline = NewName(members, lambda _: np.array([4.0]))
    assert baseline.at(make_tick()).tolist() == [4.4]
