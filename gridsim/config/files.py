"""The check that a run can use the files that its configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from gridsim.api import RunPeriod
from gridsim.config.settings.validation import Findings
from gridsim.config.tables.checkpoint import CheckpointSettings
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.tables.transports import TransportChoice
from gridsim.config.text.locate import KeyPath
from gridsim.delivery.spool import unusable_spool
from gridsim.errors import printable
from gridsim.execution.folder import unusable_folder
from gridsim.ledger.file import unusable

CheckedFiles = Literal["all", "inputs", "none"]


def check_files(
    findings: Findings,
    data: Mapping[str, Any],
    ledger: LedgerSettings | None,
    checkpoint: CheckpointSettings | None,
    transports: Iterable[TransportChoice],
    period: RunPeriod | None,
) -> Findings:
    """Return the problems of the files that the settings of the chosen plugins name.

    `period` is the time of the run in the zone of [site]; None if it is not known.
    """
    problems = Findings(findings.document)
    for plugged in findings.chosen:
        own = None if period is None else period.in_zone(_zone(data, plugged.path))
        try:
            for setting, problem in plugged.settings.file_problems(own):
                problems.add((*plugged.path, setting), f"{setting!r} {problem}")
        except Exception as error:
            reason = printable(f"{type(error).__name__}: {error}")
            problems.add(plugged.path, f"the files of {plugged.name!r} cannot be checked: {reason}")
    if ledger is not None:
        problem = unusable(Path(ledger.path), overwrite=ledger.overwrite)
        if problem is not None:
            problems.add(("ledger", "path"), f"'path' {problem}")
    for choice in transports:
        spool = choice.delivery.spool
        problem = unusable_spool(Path(spool.path)) if spool is not None else None
        if problem is not None:
            problems.add((*choice.key_path, "spool", "path"), f"'path' {problem}")
    if checkpoint is not None:
        problem = unusable_folder(Path(checkpoint.path))
        if problem is not None:
            problems.add(("checkpoint", "path"), f"'path' {problem}")
    return problems


def _zone(data: Mapping[str, Any], path: KeyPath) -> str | None:
    """Return the time zone of the project that a table belongs to; None: that of [site]."""
    if len(path) < 2 or path[0] != "projects" or not isinstance(path[1], int):
        return None
    zone = data["projects"][path[1]].get("timezone")
    return zone if isinstance(zone, str) else None
