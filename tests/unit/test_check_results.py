"""The table, the JUnit file and the exit status of a report card."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gridsim.check.junit import check_junit, junit_xml, write_junit
from gridsim.check.result import DayOutcome, DayResult, Figures, ReportCard
from gridsim.check.table import card_lines, day_line
from gridsim.errors import GridsimError, UsageError

KEPT = DayResult("calm", "kept", 1.25, Figures(1440, 1440, 0, 0, 0, 0, 12.5, 12.5, 0.0))
BROKEN = DayResult(
    "flood",
    "broken",
    2.0,
    Figures(1440, 1433, 7, 0, 0, 0),
    ("7 readings lost (0 allowed)", "and why"),
    ("1,440 expected, 1,433 received",),
)
SKIPPED = DayResult("restart", "skipped", reasons=("gridsim cannot restart your broker",))
ERROR = DayResult("night", "error", 0.5, reasons=("export_command ended with status 1\n    no",))


@pytest.mark.parametrize(
    ("results", "status", "verdict"),
    [
        ((KEPT, KEPT), 0, "PASS: 2 kept"),
        ((KEPT, SKIPPED), 0, "PASS: 1 kept, 1 skipped"),
        ((KEPT, BROKEN, ERROR), 4, "FAIL: 1 kept, 1 broken, 1 could not be checked"),
        ((KEPT, ERROR), 1, "NOT PROVEN: 1 kept, 1 could not be checked"),
        ((SKIPPED,), 1, "NOT PROVEN: 1 skipped"),
        ((), 1, "NOT PROVEN: no day ran"),
    ],
)
def test_the_exit_status_and_the_verdict(
    results: tuple[DayResult, ...], status: int, verdict: str
) -> None:
    card = ReportCard("mine", results)
    assert card.exit_status == status
    assert list(card_lines(card))[-1] == verdict
    interrupted = ReportCard("mine", results, interrupted=True)
    assert interrupted.exit_status == 130
    assert list(card_lines(interrupted))[-1] == f"INTERRUPTED: {verdict.partition(': ')[2]}"


def test_the_table_has_a_row_for_each_day_and_the_reasons_below() -> None:
    assert list(card_lines(ReportCard("mine", (KEPT, BROKEN, SKIPPED)))) == [
        "mine, 3 days",
        "",
        "DAY       SENT  STORED  LOST  TWICE  CHANGED  UNKNOWN  TRUE kWh  SETTLED  WRONG  VERDICT",
        "calm     1,440   1,440     0      0        0        0     12.50    12.50   0.00  kept",
        "flood    1,440   1,433     7      0        0        0         -        -      -  BROKEN",
        "restart      -       -     -      -        -        -         -        -      -  skipped",
        "",
        "flood: BROKEN",
        "  7 readings lost (0 allowed)",
        "  and why",
        "",
        "restart: skipped",
        "  gridsim cannot restart your broker",
        "",
        "FAIL: 1 kept, 1 broken, 1 skipped",
    ]
    assert day_line(KEPT) == "calm: kept, 1.2 s"
    assert day_line(SKIPPED) == "restart: skipped"


def test_junit_has_a_case_for_each_day_as_build_servers_read_it() -> None:
    root = ElementTree.fromstring(junit_xml(ReportCard("mine", (KEPT, BROKEN, SKIPPED, ERROR))))
    assert root.tag == "testsuites"
    [suite] = root
    assert suite.tag == "testsuite"
    counts = {"tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "3.750"}
    assert counts.items() <= suite.attrib.items()
    assert suite.attrib.keys() == {"name", "timestamp", "hostname", *counts}
    assert len(suite.attrib["timestamp"]) == len("2026-07-14T12:00:00")
    cases = suite.findall("testcase")
    assert [case.attrib["name"] for case in cases] == ["calm", "flood", "restart", "night"]
    assert {case.attrib["classname"] for case in cases} == {"mine"}
    tags = [[child.tag for child in case] for case in cases]
    assert tags == [
        ["system-out"],
        ["failure", "system-out"],
        ["skipped", "system-out"],
        ["error", "system-out"],
    ]
    failure = cases[1][0]
    assert failure.attrib == {"message": "7 readings lost (0 allowed)", "type": "PromiseBroken"}
    assert failure.text == "7 readings lost (0 allowed)\nand why"
    assert "1,440 expected, 1,433 received" in (cases[1][1].text or "")
    assert cases[3][0].attrib["message"] == "export_command ended with status 1"
    assert "kWh settled wrongly: 0.000" in (cases[0][0].text or "")


def test_a_hostile_name_or_text_gives_valid_xml() -> None:
    hostile = '"><failure/>&\0\x1b[31m\ud800]]>\uffff'
    outcomes: tuple[DayOutcome, ...] = ("broken", "error", "skipped", "kept")
    results = [DayResult(hostile, one, reasons=(hostile,), details=(hostile,)) for one in outcomes]
    root = ElementTree.fromstring(junit_xml(ReportCard(hostile, tuple(results))))
    cases = root.findall("testsuite/testcase")
    assert [len(case.findall("failure")) for case in cases] == [1, 0, 0, 0]
    escaped = '"><failure/>&\\x00\\x1b[31m\\ud800]]>\\uffff'
    assert {case.attrib["name"] for case in cases} == {escaped}


def test_a_file_that_cannot_be_written_is_refused_before_the_check(tmp_path: Path) -> None:
    check_junit(tmp_path / "junit.xml")
    with pytest.raises(UsageError, match="is a folder"):
        check_junit(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        check_junit(tmp_path / "none" / "junit.xml")
    with pytest.raises(UsageError, match=r"proc/junit.xml cannot be written: "):
        check_junit(Path("/proc/junit.xml"))
    write_junit(ReportCard("mine", (KEPT,)), tmp_path / "junit.xml")
    assert ElementTree.parse(tmp_path / "junit.xml").getroot().attrib["tests"] == "1"
    with pytest.raises(GridsimError, match="No space left on device") as caught:
        write_junit(ReportCard("mine", (KEPT,)), Path("/dev/full"))
    assert caught.value.exit_status == 1
