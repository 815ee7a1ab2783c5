"""The report card as JUnit XML, for the test reports of a build server."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from gridsim.check.result import DayResult, ReportCard
from gridsim.check.table import verdict_line
from gridsim.errors import GridsimError, UsageError
from gridsim.wholefile import check_writable, whole_file

_TAGS: Final = {"broken": "failure", "error": "error", "skipped": "skipped"}
_TYPES: Final = {"broken": "PromiseBroken", "error": "NotCompared"}


def junit_xml(card: ReportCard) -> bytes:
    """Return the card as one suite with a test case for each day."""
    seconds = f"{sum(result.seconds for result in card.results):.3f}"
    counts = {
        "tests": str(len(card.results)),
        "failures": str(card.count("broken")),
        "errors": str(card.count("error")),
        "skipped": str(card.count("skipped")),
        "time": seconds,
    }
    name = _valid(card.system)
    root = ElementTree.Element("testsuites", {"name": "gridsim check", **counts})
    about = {
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": _valid(platform.node()) or "localhost",
    }
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **about, **counts})
    for result in card.results:
        _add_case(suite, name, result)
    ElementTree.SubElement(suite, "system-out").text = _valid(verdict_line(card))
    ElementTree.indent(root)
    xml: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def write_junit(card: ReportCard, path: Path) -> None:
    """Write the card to a file. Raises GridsimError if that is not possible."""
    try:
        with whole_file(path) as new:
            new.write_bytes(junit_xml(card))
    except OSError as error:
        raise GridsimError(f"--junit: error: {path} cannot be written: {error.strerror}") from None


def check_junit(path: Path) -> None:
    """Raise UsageError if the file could not be written, before anything runs."""
    if path.is_dir():
        raise UsageError(f"--junit: error: {path} is a folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--junit: error: the folder {path.parent} does not exist")
    try:
        check_writable(path)
    except OSError as error:
        raise UsageError(f"--junit: error: {path} cannot be written: {error.strerror}") from None


def _add_case(suite: ElementTree.Element, classname: str, result: DayResult) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": classname, "name": _valid(result.day), "time": f"{result.seconds:.3f}"},
    )
    if (tag := _TAGS.get(result.outcome)) is not None:
        first = _valid(result.reasons[0].partition("\n")[0] if result.reasons else "")
        child = ElementTree.SubElement(case, tag, {"message": first})
        if (kind := _TYPES.get(result.outcome)) is not None:
            child.set("type", kind)
            child.text = _valid("\n".join(result.reasons))
    ElementTree.SubElement(case, "system-out").text = _valid("\n".join(_output(result)))


def _output(result: DayResult) -> list[str]:
    """Return the figures of a day, and what verify found."""
    own = result.figures
    counts = {
        "sent": own.sent,
        "stored": own.stored,
        "lost": own.lost,
        "stored more than once": own.duplicates,
        "changed": own.changed,
        "never sent": own.unknown,
    }
    energies = {
        "true": own.true_kwh, "settled": own.settled_kwh, "settled wrongly": own.mis_settled_kwh
    }  # fmt: skip
    lines = [f"readings {name}: {n}" for name, n in counts.items() if n is not None]
    lines += [f"kWh {name}: {kwh:.3f}" for name, kwh in energies.items() if kwh is not None]
    return [*lines, *result.details]


def _valid(text: str) -> str:
    """Return a text with only those characters that XML 1.0 allows; others are escaped."""
    return "".join(
        char
        if char in "\t\n\r"
        or " " <= char <= "\ud7ff"
        or "\ue000" <= char <= "\ufffd"
        or char >= "\U00010000"
        else char.encode("unicode_escape").decode()
        for char in text
    )
