"""The page docs/reliability.md: a table for each group of rows."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import gridsim
from benchmarks.matrix.broker import version
from benchmarks.matrix.row import Outcome, Row
from gridsim.bench.machine import machine

INTRO = """\
# What happens when something fails

`make matrix` provokes each fault of this page, compares what it sees with the promise, and writes
the page: nothing here is typed by hand. The brokers are real Mosquittos, most of them behind a
proxy that delays, stalls, swallows or resets the connection. `gridsim` runs as a process.

After each fault that a run survives, four accounts must agree: the closing lines, the last status,
the metrics, and the sums of the outcomes in the ledger. And they must be true at the far end: a
client that counts must have each reading that was called delivered, no reading that was called
dropped (unless it had been sent before), and none twice (unless it was sent again after a failure).
`make matrix ROWS="plugins clock"` runs some of the groups and replaces their sections; `make soak`
writes its own. No file of a row may have a part of the password of its connections.
"""
HEAD = ("fault", "promised", "seen", "verdict")


@dataclass(frozen=True, slots=True)
class Ran:
    """A row that ran."""

    row: Row
    outcome: Outcome
    seconds: float

    @property
    def verdict(self) -> str:
        return "FAIL" if self.outcome.failures else "ok"

    @property
    def seen(self) -> str:
        return "; ".join([*self.outcome.facts, *self.outcome.failures])


def section(title: str, rows: Sequence[Ran]) -> str:
    """Return the section of a group."""
    here = machine()
    load = os.getloadavg()[2]
    about = (
        f"*{datetime.now(UTC):%Y-%m-%d}, gridsim {gridsim.__version__}, Mosquitto "
        f"{version()}, Python {here.python}, {here.os}, kernel {platform.release()}, "
        f"{here.cpu}, {os.cpu_count()} cores, load {load:.0f} by all programs, "
        f"{sum(ran.seconds for ran in rows):.0f} s.*"
    )
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    for ran in rows:
        cells = (ran.row.fault, ran.row.promise, ran.seen, ran.verdict)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n\n".join([f"## {title}", about, "\n".join(lines)])


def write(path: Path, new: Mapping[str, str], order: Sequence[str]) -> None:
    """Write the page with new sections in place of older ones, in the order of all titles."""
    text = path.read_text() if path.exists() else ""
    sections = {part.partition("\n")[0]: f"## {part.strip()}" for part in text.split("\n## ")[1:]}
    sections |= new
    kept = [sections[title] for title in order if title in sections]
    body = "\n\n".join(kept)
    verdicts = [
        cells[4].strip()
        for line in body.splitlines()
        if line.startswith("|") and len(cells := re.split(r"(?<!\\)\|", line)) == 6
    ]
    failed = verdicts.count("FAIL")
    count = f"{verdicts.count('ok') + failed} rows, {failed} of them not as promised."
    path.write_text("\n\n".join([INTRO.rstrip(), count, body]) + "\n")


def _cell(text: str) -> str:
    for old, new in (("\n", " "), ("|", "\\|"), ("<", "\\<")):
        text = text.replace(old, new)
    return text
