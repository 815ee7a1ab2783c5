"""Checks, the exit status that follows from them, and the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of gridsim with a reference; all texts are ready to be shown."""

    name: str
    reference: str
    source: str
    found: str
    tolerance: str
    passed: bool | None
    """None: for information only, without a verdict."""

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "FAIL", None: "-"}[self.passed]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot under `docs/realism/`."""

    file: str
    caption: str


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that belong together."""

    title: str
    about: str
    """The run and the way of measuring: paragraphs of Markdown."""
    checks: Sequence[Check]
    figures: Sequence[Figure] = field(default=())


def near(
    name: str,
    reference: float,
    found: float,
    source: str,
    *,
    rel: float | None = None,
    by: float | None = None,
    unit: str = "",
) -> Check:
    """Check that `found` is within the share `rel` or the amount `by` of `reference`; with both,
    within either.
    """
    allowed, said = [], []
    if rel is not None:
        allowed.append(rel * abs(reference))
        said.append(f"{100 * rel:g} %")
    if by is not None:
        allowed.append(by)
        said.append(_with(by, unit))
    tolerance = "within " + " or ".join(said)
    # NaN passes no check.
    passed = abs(found - reference) <= max(allowed)
    return Check(name, _with(reference, unit), source, _with(found, unit), tolerance, passed)


def at_most(name: str, limit: float, found: float, source: str, *, unit: str = "") -> Check:
    """Check that Check that `found` is at most `limit`."""
    return Check(name, "-", source, _with(found, unit), f"<= {_with(limit, unit)}", found <= limit)


def at_least(name: str, limit: float, found: float, source: str, *, unit: str = "") -> Check:
    """Check that Check that `found` is at least `limit`."""
    return Check(name, "-", source, _with(found, unit), f">= {_with(limit, unit)}", found >= limit)


def holds(name: str, found: str, source: str, passed: bool) -> Check:
    """Return a check of a statement that is true or false."""
    return Check(name, "-", source, found, "holds", passed)


def note(name: str, found: str, source: str, reference: str = "-") -> Check:
    """Return a figure without a verdict."""
    return Check(name, reference, source, found, "-", None)


def failures(groups: Sequence[Group]) -> list[tuple[Group, Check]]:
    """Return the checks that are outside their tolerance."""
    return [(group, check) for group in groups for check in group.checks if check.passed is False]


def exit_status(groups: Sequence[Group]) -> int:
    """Return 1 if a check failed or none had a verdict, else 0."""
    judged = any(check.passed is not None for group in groups for check in group.checks)
    return 1 if failures(groups) or not judged else 0


def table(group: Group) -> str:
    """Return the group's checks as aligned text."""
    head = ("check", "reference", "gridsim", "tolerance", "verdict")
    rows = [(c.name, c.reference, c.found, c.tolerance, c.verdict) for c in group.checks]
    width = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip()
             for row in (head, *rows)]  # fmt: skip
    return "\n".join([f"== {group.title}", *lines])


def summary(groups: Sequence[Group]) -> str:
    """Return the number of checks, and those that failed."""
    failed = failures(groups)
    judged = sum(check.passed is not None for group in groups for check in group.checks)
    lines = [f"{judged} checks, {len(failed)} outside their tolerance"]
    lines += [
        f"FAIL {group.title}: {check.name}: {check.found}, reference {check.reference}, "
        f"{check.tolerance}"
        for group, check in failed
    ]
    return "\n".join(lines)


def spliced(page: str, groups: Sequence[Group], intro: str, run: str) -> str:
    """Return the page with the sections of `groups` in place of older ones, or at its end.

    `run` has their date and version.
    """
    sections = {text.partition("\n")[0]: text for text in page.split("\n## ")[1:]}
    return _page(sections | {group.title: _section(group, run) for group in groups}, intro)


def _page(sections: Mapping[str, str], intro: str) -> str:
    """Join the head, which counts the verdicts of all tables, and the sections."""
    body = "\n\n".join(f"## {text.strip()}" for text in sections.values())
    cells = [re.split(r"(?<!\\)\|", line) for line in body.splitlines() if line.startswith("|")]
    verdicts = [row[5].strip() for row in cells]
    failed = verdicts.count("FAIL")
    count = f"{verdicts.count('ok') + failed} checks, {failed} outside their tolerance."
    return "\n\n".join(["# How real the models are", intro, count, body]) + "\n"


def _section(group: Group, run: str) -> str:
    """Return the group's title, run, table and plots; without the `## ` in front."""
    head = ("check", "reference", "gridsim", "tolerance", "verdict", "source")
    rows = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for c in group.checks:
        cells = (c.name, c.reference, c.found, c.tolerance, c.verdict, c.source)
        rows.append("| " + " | ".join(map(_cell, cells)) + " |")
    plots = [f"![{f.caption}](realism/{f.file})\n\n{f.caption}" for f in group.figures]
    return "\n\n".join([group.title, f"*{run}.*", group.about, "\n".join(rows), *plots])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _with(value: float, unit: str) -> str:
    return f"{value:.5g} {unit}".rstrip()
