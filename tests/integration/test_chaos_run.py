"""The shipped chaos, as a user runs it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fixtures.prepared import gridsim

ROOT = Path(__file__).parents[2]
SUMMARY = re.compile(
    r"faults affected ([\d,]+) of ([\d,]+) readings: ([\d,]+) lost, ([\d,]+) late, "
    r"([\d,]+) in altered messages, ([\d,]+) repeated"
)


def chaos(transport: str) -> tuple[str, list[int]]:
    """Return the standard output, and the figures of the closing summary."""
    done = gridsim(
        *("--config", ROOT / "configs/chaos.toml"),
        *("--speed", 0, "--duration", "4m", "--set", f"transports=[{transport}]"),
    )
    assert done.returncode == 0, done.stderr
    found = SUMMARY.search(done.stderr)
    assert found is not None, done.stderr
    return done.stdout, [int(figure.replace(",", "")) for figure in found.groups()]


def test_its_summary_agrees_with_what_arrives() -> None:
    out, (touched, taken, lost, late, altered, repeated) = chaos('{type="stdout"}')
    assert taken == 48 * 75
    assert out.count("\n") == taken - lost + repeated
    assert 0 < lost < late < touched < taken
    assert 0 < repeated < altered < touched


def test_framed_by_project_the_same_readings_suffer() -> None:
    _, of_ders = chaos('{type="stdout"}')
    _, of_projects = chaos('{type="stdout",framing="project"}')
    assert of_ders == of_projects
