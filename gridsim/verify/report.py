"""The report of verify: lines of text, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from gridsim.verify.differences import KINDS, UNEXPLAINED, Differences
from gridsim.verify.evidence import UnreadableField
from gridsim.verify.patterns import Pattern
from gridsim.verify.settlement import SettlementVerdict

Outcome = Literal["passed", "failed", "not proven"]

VERDICTS: Final[dict[Outcome, str]] = {
    "passed": "PASS",
    "failed": "FAIL",
    "not proven": "NOT PROVEN",
}
UNFINISHED: Final = "the ledger is incomplete"
"""The doubt about a ledger whose run has not ended."""
_PROJECTS = 10
_EXAMPLES = 10
_FEW = 3
_COMPARED = 20
_CAUSES = 6


@dataclass(frozen=True, slots=True)
class Late:
    """The latency from the offer to the transport to the arrival."""

    readings: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True, eq=False)
class VerifyReport:
    ledger: str
    run: str
    """The id of the run whose ledger it is."""
    complete: bool
    """True if the ledger's run has ended normally."""
    transport: str
    expected: int
    """The number of readings sent, their copies made by faults, and readings not sent."""
    received: int
    differences: Differences
    projects: Sequence[str]
    expected_by_project: Sequence[int]
    late: Late | None
    verdict: SettlementVerdict | None
    notes: Sequence[str]
    tolerate: int
    sources: Sequence[str] = ()
    """A line about each file."""
    compared: int | None = None
    """The number of sent readings that were compared with one that arrived.

    None if only settlements are compared.
    """
    has_values: bool = True
    """True if the data has values to compare, or if the user excluded values from the
    comparison.
    """
    not_compared: Sequence[str] = ()
    """The sent fields that the user's data does not have."""
    unreadable_fields: Sequence[UnreadableField] = ()
    """The fields of the user's data with values that cannot be read."""
    patterns: Sequence[Pattern] = ()
    """The differences that many readings have in common."""

    @property
    def unexplained(self) -> int:
        return self.differences.unexplained

    @property
    def outcome(self) -> Outcome:
        """The result: a difference is a failure, and missing evidence is never a success."""
        settled = self.verdict is None or not self.verdict.differences
        if not settled or self.unexplained > self.tolerate:
            return "failed"
        return "not proven" if self.doubts else "passed"

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def doubts(self) -> list[str]:
        """The reasons why the comparison proves nothing, even without a difference."""
        found = []
        if not self.complete:
            found.append(UNFINISHED)
        if self.compared is not None:
            if not self.expected:
                found.append("the ledger has no readings")
            elif not self.compared:
                found.append("no reading was compared")
            elif not self.has_values:
                found.append(
                    "no values were compared, only which readings arrived (to accept that, add "
                    "--arrival-only)"
                )
        if self.verdict is not None and not self.verdict.compared:
            found.append("no settlement was compared")
        return found

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        yield f"{self.ledger}, transport {self.transport}: {_state(self.complete)}"
        yield from self.sources
        yield from self.details()
        yield f"{VERDICTS[self.outcome]}: {self._sum()}"

    def details(self) -> Iterator[str]:
        """Yield the lines about what was compared, and about the differences."""
        yield from self.notes
        if self.not_compared and self.has_values:
            names = ", ".join(self.not_compared)
            yield f"not compared, because your data does not have them: {names}"
        yield from map(str, self.unreadable_fields)
        yield from map(str, self.patterns)
        yield f"{self.expected:,} expected, {self.received:,} received"
        for kind in KINDS:
            causes = self.differences.causes[kind]
            if causes:
                why = ", ".join(f"{n:,} {cause}" for cause, n in _first(causes))
                yield f"  {kind:<11}{causes.total():>12,}  {why}"
        if self.late is not None:
            yield (
                f"  late p50 {self.late.p50_s * 1000:.1f} ms, p99 {self.late.p99_s * 1000:.1f} ms "
                f"end to end, of {self.late.readings:,} readings"
            )
        yield from self._project_lines()
        shown = _EXAMPLES if not self.patterns and not self.unreadable_fields else _FEW
        for example in self.differences.examples[:shown]:
            place = f", line {example.line}" if example.line else ""
            what = f"{example.der_id or '(unknown DER)'} {example.timestamp or '(no time)'}"
            detail = f": {example.detail}" if example.detail else ""
            yield f"  {UNEXPLAINED}: {example.kind} {what}{place}{detail}"
        more = self.unexplained - min(shown, len(self.differences.examples))
        if more > 0:
            yield f"  and {more:,} more"
        yield from self.settlement_lines()

    def as_json(self) -> dict[str, Any]:
        """Return the whole report as a JSON object."""
        found = self.differences
        return {
            "ledger": self.ledger,
            "run": self.run,
            "complete": self.complete,
            "transport": self.transport,
            "passed": self.passed,
            "outcome": self.outcome,
            "doubts": self.doubts,
            "sources": list(self.sources),
            "compared": self.compared,
            "not_compared": list(self.not_compared),
            "patterns": [asdict(one) for one in self.patterns],
            "unreadable_fields": [asdict(one) for one in self.unreadable_fields],
            "expected": self.expected,
            "received": self.received,
            "unexplained": self.unexplained,
            "tolerate": self.tolerate,
            **{
                kind: {"total": found.total(kind), "by_cause": found.causes[kind]} for kind in KINDS
            },
            "late": None if self.late is None else asdict(self.late),
            "projects": dict(self._projects()),
            "examples": [asdict(example) for example in found.examples],
            "settlements": None if self.verdict is None else asdict(self.verdict),
            "notes": list(self.notes),
        }

    def _projects(self) -> Iterator[tuple[str, dict[str, int]]]:
        for index, name in enumerate((*self.projects, "")):
            counts = {
                kind: int(column[index])
                for kind, column in self.differences.by_project.items()
                if column[index]
            }
            if index < len(self.projects):
                counts = {"expected": self.expected_by_project[index], **counts}
            if counts:
                yield name, counts

    def _project_lines(self) -> Iterator[str]:
        """Yield the projects with differences; those with unexplained ones come first."""
        differ = [
            (name, counts) for name, counts in self._projects() if counts.keys() - {"expected"}
        ]
        differ.sort(key=lambda item: (-item[1].get(UNEXPLAINED, 0), -sum(item[1].values())))
        for name, counts in differ[:_PROJECTS]:
            what = ", ".join(f"{n:,} {kind}" for kind, n in counts.items())
            yield f"  {name or '(no known project)'}: {what}"
        if len(differ) > _PROJECTS:
            yield f"  and {len(differ) - _PROJECTS:,} more projects with differences"

    def _sum(self) -> str:
        settled = len(self.verdict.differences) if self.verdict is not None else 0
        more = f", {settled:,} in settlements" if settled else ""
        but = "; but " if self.outcome == "not proven" else "; "
        doubts = but + ", and ".join(self.doubts) if self.doubts else ""
        allowed = f" ({self.tolerate:,} tolerated)" if self.tolerate and self.unexplained else ""
        return f"{self.unexplained:,} unexplained{allowed}{more}{doubts}"

    def settlement_lines(self) -> Iterator[str]:
        """Yield the lines about settlements, if they were compared."""
        if self.verdict is None:
            return
        wrong = self.verdict.differences
        yield f"{self.verdict.compared:,} settlements compared, {len(wrong):,} differences"
        if not self.verdict.violations:
            yield (
                "  violations not compared, because your file has no columns violation_start and "
                "violation_end"
            )
        for line in wrong[:_COMPARED]:
            yield f"  {line}"
        if len(wrong) > _COMPARED:
            yield f"  and {len(wrong) - _COMPARED:,} more"


def _first(causes: Counter[str]) -> Iterator[tuple[str, int]]:
    """Yield the unexplained count, the most frequent causes, and the sum of all other causes."""
    ranked = sorted(causes.items(), key=lambda item: (item[0] != UNEXPLAINED, -item[1]))
    yield from ranked[:_CAUSES]
    rest = ranked[_CAUSES:]
    if rest:
        yield f"by {len(rest):,} other causes", sum(n for _, n in rest)


def _state(complete: bool) -> str:
    if complete:
        return "complete"
    return "INCOMPLETE, its run was killed or is still running; its readings so far are compared"
