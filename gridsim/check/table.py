"""The report card as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gridsim.check.result import DayOutcome, DayResult, ReportCard
from gridsim.text.words import counted

OUTCOMES: Final[dict[DayOutcome, str]] = {
    "kept": "kept",
    "broken": "BROKEN",
    "error": "ERROR",
    "skipped": "skipped",
}
_HEAD: Final = (
    "DAY", "SENT", "STORED", "LOST", "TWICE", "CHANGED", "UNKNOWN", "TRUE kWh", "SETTLED",
    "WRONG", "VERDICT",
)  # fmt: skip
_REASONS: Final = 8


def card_lines(card: ReportCard) -> Iterator[str]:
    """Yield a table with a row for each day, the reasons of failed days, and the sum."""
    rows = [_HEAD, *map(_row, card.results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield f"{card.system}, {counted(len(card.results), 'day')}"
    yield ""
    for row in rows:
        numbers = (text.rjust(w) for text, w in zip(row[1:-1], widths[1:-1], strict=True))
        yield "  ".join((row[0].ljust(widths[0]), *numbers, row[-1]))
    for result in card.results:
        if result.reasons:
            yield ""
            yield f"{result.day}: {OUTCOMES[result.outcome]}"
            for reason in result.reasons[:_REASONS]:
                yield f"  {reason}"
            if len(result.reasons) > _REASONS:
                yield f"  and {len(result.reasons) - _REASONS} more"
    yield ""
    yield verdict_line(card)


def verdict_line(card: ReportCard) -> str:
    """Return the verdict on the system in one line."""
    parts = [
        f"{n} {word}"
        for outcome, word in (
            ("kept", "kept"),
            ("broken", "broken"),
            ("error", "could not be checked"),
            ("skipped", "skipped"),
        )
        if (n := sum(result.outcome == outcome for result in card.results))
    ]
    verdict = "PASS" if card.exit_status == 0 else "FAIL" if card.count("broken") else "NOT PROVEN"
    if card.interrupted:
        verdict = "INTERRUPTED"
    return f"{verdict}: {', '.join(parts) or 'no day ran'}"


def day_line(result: DayResult) -> str:
    """Return the outcome of one day, for the progress of the check."""
    took = "" if result.outcome == "skipped" else f", {result.seconds:.1f} s"
    return f"{result.day}: {OUTCOMES[result.outcome]}{took}"


def _row(result: DayResult) -> tuple[str, ...]:
    own = result.figures
    counts = (own.sent, own.stored, own.lost, own.duplicates, own.changed, own.unknown)
    energies = (own.true_kwh, own.settled_kwh, own.mis_settled_kwh)
    return (
        result.day,
        *("-" if n is None else f"{n:,}" for n in counts),
        *("-" if kwh is None else f"{kwh:,.2f}" for kwh in energies),
        OUTCOMES[result.outcome],
    )
