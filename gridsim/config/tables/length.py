"""The length of a run: `duration_s`, `until`, or the options of the same names."""

from __future__ import annotations

from gridsim.config.settings.validation import Findings
from gridsim.config.tables.simulation import (
    SimulationSettings,
    check_live,
    duration_ms,
    goes_live,
    length_until_ms,
)
from gridsim.config.text.document import Document
from gridsim.errors import UsageError


def with_one_end(document: Document, until: str | None, length_ms: int | None) -> Document:
    """Return the document without the end that an option of the command line replaces.

    `until` and `length_ms` are the values of `--until` and `--duration`. Raises UsageError if both
    give an end.
    """
    if length_ms is not None and until not in (None, "now"):
        raise UsageError(
            "--until: error: --duration gives the run another end: leave out one of the two"
        )
    table = document.data.get("simulation")
    if not isinstance(table, dict):
        return document
    replaced = []
    if length_ms is not None and until is None and table.get("until") not in (None, "now"):
        replaced.append(("simulation", "until"))
    if until not in (None, "now") and "duration_s" in table:
        replaced.append(("simulation", "duration_s"))
    return document.without(replaced)


def read_length(
    findings: Findings,
    simulation: SimulationSettings,
    start_ms: int,
    now_ms: int,
    timezone: str,
    length_ms: int | None,
    is_resumed: bool,
) -> int | None:
    """Return the length of the run, ms; None if it has no end.

    `length_ms` is that of `--duration`. A resumed run may have been at the present already.
    """
    is_given = length_ms is not None
    if not is_given:
        try:
            length_ms = duration_ms(simulation)
        except ValueError as error:
            findings.add(("simulation", "duration_s"), f"'duration_s' {error}")
            return None
    try:
        if goes_live(simulation):
            if not is_resumed:
                check_live(start_ms, now_ms, length_ms)
            return length_ms
        until_ms = length_until_ms(simulation, start_ms, now_ms, timezone)
        if None not in (until_ms, length_ms):
            other = "--duration" if is_given else "'duration_s'"
            raise ValueError(f"and {other} both give the run an end: leave out one of the two")
    except ValueError as error:
        findings.add(("simulation", "until"), f"'until' {error}")
        return None
    return length_ms if until_ms is None else until_ms
