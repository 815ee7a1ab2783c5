"""The sections of a page that show the result of verify, read from its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from gridsim.errors import UsageError
from gridsim.report.page import Download, paragraph, table
from gridsim.text.words import counted
from gridsim.verify.differences import KINDS, UNEXPLAINED, Example
from gridsim.verify.evidence import UnreadableField
from gridsim.verify.patterns import Pattern
from gridsim.verify.report import VERDICTS, Late, Outcome
from gridsim.verify.settlement import SettlementVerdict

PROJECTS, EXAMPLES, LINES = 10, 20, 20
"""The largest number of rows in a table of the page; the tables to download have more."""
SAVED = 10_000
"""The largest number of rows in a table to download."""
_MEANINGS = {
    "missing": "not in your data",
    "duplicate": "in your data more than once",
    "reordered": "arrived after a later reading of its device",
    "delayed": "sent later than its own time",
    "altered": "other values than were true, or than were sent",
    "unreadable": "cannot be read, or only in part",
    "unknown": "in your data, but never sent",
}
_STYLES: Mapping[Outcome, str] = {"passed": "good", "failed": "bad", "not proven": "warn"}


class KindCount(msgspec.Struct, frozen=True):
    total: int
    by_cause: dict[str, int]


class VerifyResult(msgspec.Struct, frozen=True):
    """The JSON of `gridsim verify --json`."""

    ledger: str
    run: str
    complete: bool
    transport: str
    outcome: Literal["passed", "failed", "not proven"]
    doubts: list[str]
    sources: list[str]
    compared: int | None
    not_compared: list[str]
    patterns: list[Pattern]
    unreadable_fields: list[UnreadableField]
    expected: int
    received: int
    unexplained: int
    tolerate: int
    missing: KindCount
    duplicate: KindCount
    reordered: KindCount
    delayed: KindCount
    altered: KindCount
    unreadable: KindCount
    unknown: KindCount
    late: Late | None
    projects: dict[str, dict[str, int]]
    examples: list[Example]
    settlements: SettlementVerdict | None
    notes: list[str]

    @property
    def kinds(self) -> dict[str, KindCount]:
        """The differences of each kind that has any."""
        found = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: count for kind, count in found.items() if count.total}

    @property
    def differences(self) -> int:
        return sum(count.total for count in self.kinds.values())


def read_result(path: Path, run: str) -> VerifyResult:
    """Return the result of verify from a file. Raises UsageError if it is of another run."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=VerifyResult)
    except OSError as error:
        raise UsageError(f"{path}: error: cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: error: is not the JSON of gridsim verify --json: {error}"
        ) from None
    if result.run != run:
        raise UsageError(
            f"{path}: error: is the result of another run than this ledger's: it compared "
            f"{result.ledger}"
        )
    return result


def verdict_words(result: VerifyResult) -> str:
    """Return the verdict in one sentence."""
    settled = len(result.settlements.differences) if result.settlements is not None else 0
    of = f" of {result.differences:,} differences" if result.differences else ""
    found = []
    if result.unexplained > result.tolerate:
        verb = "is" if result.unexplained == 1 else "are"
        found.append(f"{result.unexplained:,}{of} {verb} unexplained")
    if settled:
        found.append(f"{counted(settled, 'settlement')} {'differs' if settled == 1 else 'differ'}")
    if not found:
        if result.unexplained:
            found.append(f"{result.unexplained:,}{of} are unexplained, which are tolerated")
        elif result.differences:
            found.append(f"{counted(result.differences, 'difference')}, all explained")
        else:
            found.append("no difference")
    if result.outcome == "not proven":
        return f"{VERDICTS[result.outcome]}: {found[0]}, but {', and '.join(result.doubts)}"
    return f"{VERDICTS[result.outcome]}: {', and '.join(found)}"


def verdict(result: VerifyResult, heading: str = "h1") -> Iterator[str]:
    """Yield the verdict and what was compared."""
    style = _STYLES[result.outcome]
    yield f'<{heading} class="{style}">{escape(verdict_words(result))}</{heading}>'
    state = "" if result.complete else "; its run was killed or is still running"
    if result.compared is None:
        yield paragraph(f"{result.ledger}{state}: no readings were given", "soft")
    else:
        yield paragraph(
            f"{result.ledger}, transport {result.transport}{state}: {result.expected:,} readings "
            f"expected, {result.received:,} received",
            "soft",
        )
    for line in (*result.sources, *result.notes):
        yield paragraph(line, "soft")
    if result.not_compared:
        names = ", ".join(result.not_compared)
        yield paragraph(f"not compared, because your data does not have them: {names}", "soft")
    for problem in (*result.unreadable_fields, *(p for p in result.patterns if not p.allowed)):
        yield paragraph(str(problem), "warn")
    for pattern in result.patterns:
        if pattern.allowed:
            yield paragraph(str(pattern), "soft")
    if result.late is not None:
        yield paragraph(
            f"late p50 {result.late.p50_s * 1000:.1f} ms, p99 {result.late.p99_s * 1000:.1f} ms "
            f"end to end, of {result.late.readings:,} readings",
            "soft",
        )


def differences(result: VerifyResult, times: Iterable[str] = ()) -> Iterator[str]:
    """Yield the tables of all differences: by kind and cause, by project, and examples.

    `times` are the pictures of their times.
    """
    if result.compared is not None:
        yield from _kinds(result)
        yield from times
        yield from _projects(result)
        yield from _examples(result)
    yield from _settlements(result)


def _kinds(result: VerifyResult) -> Iterator[str]:
    if not result.kinds:
        yield paragraph("Every compared reading equals the one that was sent.")
        return
    rows, causes = [], []
    for kind, count in result.kinds.items():
        left = count.by_cause.get(UNEXPLAINED, 0)
        ranked = sorted(count.by_cause.items(), key=lambda item: (item[0] != UNEXPLAINED, -item[1]))
        causes += [(kind, cause, number) for cause, number in ranked]
        known = [f"{cause}: {number:,}" for cause, number in ranked if cause != UNEXPLAINED]
        if len(known) > LINES:
            known[LINES:] = [f"and {len(known) - LINES:,} more causes"]
        numbers = (f"{count.total:,}", f"{count.total - left:,}", f"{left:,}")
        rows.append((f"{kind}: {_MEANINGS[kind]}", *numbers, "; ".join(known)))
    yield table(
        ("difference", "readings", "explained", "unexplained", "explained by"), rows, (1, 2, 3)
    )
    link = Download("differences-by-cause.csv", ("difference", "cause", "readings"), causes).html()
    yield f'<p class="soft">A reading can have several differences. Table: {link}</p>'


def _projects(result: VerifyResult) -> Iterator[str]:
    differ = [
        (name or "(no known project)", counts)
        for name, counts in result.projects.items()
        if counts.keys() - {"expected"}
    ]
    if not differ:
        return
    differ.sort(
        key=lambda item: (-item[1].get(UNEXPLAINED, 0), -sum(n for _, n in _by_kind(item[1])))
    )
    yield "<h3>Projects</h3>"
    yield table(
        ("project", "expected", "unexplained", "differences"),
        [
            (
                name,
                f"{counts.get('expected', 0):,}",
                f"{counts.get(UNEXPLAINED, 0):,}",
                ", ".join(f"{n:,} {kind}" for kind, n in _by_kind(counts)),
            )
            for name, counts in differ[:PROJECTS]
        ],
        (1, 2),
    )
    columns = ("expected", UNEXPLAINED, *KINDS)
    saved = [(name, *(counts.get(c, 0) for c in columns)) for name, counts in differ[:SAVED]]
    link = Download("differences-by-project.csv", ("project", *columns), saved).html()
    yield f'<p class="soft">{_left_out(len(differ), PROJECTS, "project")}Table: {link}</p>'


def _examples(result: VerifyResult) -> Iterator[str]:
    if not result.examples:
        return
    rows = [
        (one.kind, one.der_id, one.timestamp, f"{one.line:,}" if one.line else "", one.detail)
        for one in result.examples
    ]
    head = ("difference", "device", "time", "line", "detail")
    yield "<h3>Unexplained: the first of each kind</h3>"
    # Some of each kind, even if one kind has most of the differences.
    kinds = list(dict.fromkeys(one.kind for one in result.examples))
    each = -(-EXAMPLES // len(kinds))
    shown = [row for kind in kinds for row in islice((r for r in rows if r[0] == kind), each)]
    yield table(head, shown, numbers=(3,), times=(2,))
    saved = [
        (one.kind, one.der_id, one.timestamp, one.line or "", one.detail) for one in result.examples
    ]
    yield f'<p class="soft">Table: {Download("unexplained.csv", head, saved).html()}</p>'


def _settlements(result: VerifyResult) -> Iterator[str]:
    if (found := result.settlements) is None:
        return
    yield "<h2>Settlements</h2>"
    differ = len(found.differences)
    yield paragraph(
        f"{counted(found.compared, 'settlement')} compared, {counted(differ, 'difference')}",
        "bad" if differ else "soft",
    )
    if not found.violations:
        yield paragraph(
            "Violations were not compared, because your file has no columns violation_start and "
            "violation_end.",
            "warn",
        )
    if differ:
        yield table(("yours, and the ledger's",), [(line,) for line in found.differences[:LINES]])
        saved = [(line,) for line in found.differences[:SAVED]]
        link = Download("settlement-differences.csv", ("difference",), saved).html()
        yield f'<p class="soft">{_left_out(differ, LINES, "difference")}Table: {link}</p>'


def _by_kind(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(kind, counts[kind]) for kind in KINDS if kind in counts]


def _left_out(count: int, shown: int, what: str) -> str:
    more = count - shown
    return f"{more:,} more {what}{'s' if more > 1 else ''} with differences. " if more > 0 else ""
