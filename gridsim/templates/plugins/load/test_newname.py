"""The contract tests of gridsim, and one of the model."""

from __future__ import annotations

from gridsim.testing import START_MS, LoadContract, make_members

from .newname import NewName


class TestNewName(LoadContract):
    load = NewName
    settings = ({}, {"open_kw": 9.0, "opens_at": 6})


def test_it_draws_more_while_it_is_open() -> None:
    load = NewName(make_members(NewName.Settings, [{"open_kw": 9.0}]))
    # START_MS is 09:00 by the clock of the site.
    assert load.expected(START_MS).tolist() == [9.0]
    assert load.expected(START_MS + 12 * 3_600_000).tolist() == [0.5]
