"""The realism report: verdicts, exit status, and what is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    # At the end: what is installed goes first.
    sys.path.append(str(ROOT))

from benchmarks.realism.report import (  # noqa: E402
    Check,
    Figure,
    Group,
    at_least,
    at_most,
    exit_status,
    holds,
    near,
    note,
    spliced,
    summary,
    table,
)


@pytest.mark.parametrize(
    ("found", "passed"), [(100.0, True), (110.0, True), (89.9, False), (float("nan"), False)]
)
def test_a_share_of_the_reference_is_the_tolerance(found: float, passed: bool) -> None:
    check = near("energy", 100.0, found, "a book", rel=0.1, unit="kWh")
    assert check.passed is passed
    assert check.verdict == ("ok" if passed else "FAIL")
    assert check.tolerance == "within 10 %"


def test_the_share_of_a_negative_reference_is_positive() -> None:
    assert near("charging", -2.5, -2.4, "a book", rel=0.1).passed
    assert not near("charging", -2.5, 2.5, "a book", rel=0.1).passed


def test_amounts_and_limits() -> None:
    assert near("zenith", 50.0, 50.009, "a book", by=0.01, unit="deg").passed
    assert not near("zenith", 50.0, 50.011, "a book", by=0.01, unit="deg").passed
    assert at_most("error", 0.0, 0.0, "a book").passed
    assert not at_most("error", 0.0, 1e-12, "a book").passed
    assert not at_most("error", 0.0, float("nan"), "a book").passed
    assert not at_least("hours", 5.0, 4.9, "a book").passed


def group(*checks: Check) -> Group:
    return Group("Batteries", "How.", checks, [Figure("one.png", "A plot.")])


GOOD, BAD = (holds(name, "x", "a book", so) for name, so in (("good", True), ("bad", False)))
TOLD = note("only told", "3 h", "a book")


def test_one_failure_anywhere_is_exit_status_1() -> None:
    assert exit_status([group(GOOD, TOLD), group(GOOD)]) == 0
    assert exit_status([group(GOOD), group(BAD, GOOD)]) == 1
    assert "FAIL Batteries: bad" in summary([group(GOOD), group(BAD, GOOD)])


def test_a_report_that_judges_nothing_is_no_success() -> None:
    assert exit_status([]) == 1
    assert exit_status([group(TOLD)]) == 1


def test_every_check_is_shown_with_its_verdict_and_source() -> None:
    odd = holds("|dk| of a minute", "yes", "a book", True)
    page = spliced("", [group(GOOD, BAD, TOLD, odd)], "Intro.", "Run on Monday")
    assert "3 checks, 1 outside their tolerance" in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.count(" | ") for row in rows] == [5] * 6, "a row of a table has six cells"
    assert "| bad | - | x | holds | FAIL | a book |" in page
    assert "\\|dk\\| of a minute" in page
    assert "![A plot.](realism/one.png)" in page
    assert len(table(group(GOOD, BAD)).splitlines()) == 4


def test_a_group_that_runs_again_replaces_its_section_and_is_counted_anew() -> None:
    other = Group("Clouds", "About |dk|.", [holds("|dk|", "yes", "a | b", True)])
    page = spliced("", [group(GOOD, BAD), other], "Intro.", "Run on Monday")
    assert "3 checks, 1 outside their tolerance" in page
    again = spliced(page, [group(GOOD)], "Intro.", "Run on Tuesday")
    assert (
        again
        == spliced("", [group(GOOD)], "Intro.", "Run on Tuesday").replace("1 checks", "2 checks")
        + page[page.index("\n## Clouds") :]
    )
    assert spliced(page, [], "Intro.", "Run on Tuesday") == page
    new = spliced(page, [Group("Sun", "", [GOOD])], "Intro.", "Run on Tuesday")
    assert new.index("## Clouds") < new.index("## Sun")
    assert "4 checks, 1 outside" in new
