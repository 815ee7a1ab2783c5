"""The contract tests of gridsim, and one of the encoding."""

from __future__ import annotations

from gridsim.testing import FormatContract, make_batch, make_roster

from .newname import NewName


class TestNewName(FormatContract):
    format = NewName
    settings = ({}, {"separator": ";"})


def test_a_line_has_the_values_of_the_reading() -> None:
    roster = make_roster([1])
    [line] = NewName(NewName.Settings(), "der", roster).encode(make_batch(roster)).bodies
    assert line.startswith(b"der=DER_0 project=PRJ_0 time=2026-07-01T12:00:00.000Z ")
    assert line.endswith(b" online=1 kw=-1.50 load_kw=2.00 baseline_kw=5.00 threshold_kw=4.00 soc=")
