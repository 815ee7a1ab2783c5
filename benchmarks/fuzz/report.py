"""The results of fuzzing, and the page that has them."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import hypothesis

LIMIT_S = 1.0
GROWTH_MB = 10.0
HEAD = """# Fuzzing

Every input that others write is tried with hostile cases. `make fuzz` writes this page, and fails
if a case ends in an error that is not meant for people, takes a second of processor time, or if the
memory of the process grows by 10 MB. `make fuzz CASES=20000` tries fewer and writes no page.

[hypothesis](https://hypothesis.readthedocs.io) makes the cases: valid inputs with one to six
changes (parts left out, repeated, moved, or replaced by values that have broken parsers before),
and inputs made of the parts of a grammar. A case is accepted, or refused by an error with a text.
Instructions are also applied: each in a tick of a simulation, in which all powers must stay finite
and each instruction must get an answer.

"""


@dataclass
class Tally:
    """The results of the cases of an input."""

    title: str
    cases: int = 0
    accepted: int = 0
    slowest_s: float = 0.0
    """The longest processor time of a case."""
    growth_mb: float = 0.0
    """The growth of the process after a tenth of the cases."""
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> bool:
        slow, grown = self.slowest_s >= LIMIT_S, self.growth_mb >= GROWTH_MB
        return bool(self.failures) or slow or grown


def write_page(path: Path, tallies: Sequence[Tally], seed: int) -> None:
    """Write the page."""
    today = datetime.now(UTC)
    cases = sum(one.cases for one in tallies)
    failures = sum(one.failures.total() for one in tallies)
    lines = [
        f"{today:%B %Y}: {cases:,} cases, {failures} failures. Python {platform.python_version()}, "
        f"hypothesis {hypothesis.__version__}, seed {seed}, "
        f"{sum(one.seconds for one in tallies) / 60:.0f} minutes on a busy machine.",
        "",
        "| input | cases | accepted | slowest case | growth | failures |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.title} | {one.cases:,} | {one.accepted:,} | {one.slowest_s * 1000:.0f} ms | "
        f"{one.growth_mb:+.1f} MB | {one.failures.total()} |"
        for one in tallies
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n")
