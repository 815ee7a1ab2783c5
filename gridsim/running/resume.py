"""`--resume`: the run that a checkpoint continues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gridsim.config.configuration import Configuration
from gridsim.config.tables.checkpoint import CheckpointSettings, checkpoint_keys, url_of_shard
from gridsim.config.tables.ledger import LedgerSettings
from gridsim.config.text.load import Document
from gridsim.contracts.settings import FOLDER, Settings
from gridsim.contracts.shard import SHARD
from gridsim.errors import UsageError
from gridsim.execution.checkpoint import Checkpoint, CheckpointError, check_keys
from gridsim.execution.copies import CheckpointCopy
from gridsim.execution.folder import CheckpointFolder, Kept
from gridsim.ledger import About, is_unused, missing_readings, run_of
from gridsim.running.checkpoint_plan import CheckpointPlan


def kept_run(document: Document) -> Kept | None:
    """Return the run to continue; None: a new one begins, because there is none that was killed.

    Raises UsageError if the configuration has no `[checkpoint]`, or if nothing can be read.
    """
    if "checkpoint" not in document.data:
        raise UsageError(
            "--resume: error: the configuration has no [checkpoint]: add the table, with the path "
            "of a folder"
        )
    path = _path_in(document, "checkpoint", CheckpointSettings)
    if path is None:
        return None  # `resolve` reports the invalid table
    folder = CheckpointFolder(path)
    settings = _copy_settings(document)
    if settings is not None:
        CheckpointCopy(*settings).fetch(path)
    try:
        lacks = partial(_lacks_readings, _path_in(document, "ledger", LedgerSettings))
        return folder.read(lacks) if folder.has_run() else None
    except OSError as error:
        raise CheckpointError(f"{path}: error: {error.strerror or error}") from error


def checkpoint_plan(
    document: Document,
    configuration: Configuration,
    about: About,
    kept: Kept | None,
    *,
    resume: bool,
) -> CheckpointPlan | None:
    """Return the plan of a run's checkpoints. Raises CheckpointError, naming the keys that differ,
    if the kept checkpoint is of another configuration.
    """
    settings = configuration.checkpoint
    if settings is None:
        return None
    keys = checkpoint_keys(document, configuration, about.plugins)
    if kept is not None:
        try:
            check_keys(kept.checkpoint, keys)
        except CheckpointError as error:
            raise CheckpointError(f"--resume: error: {settings.path}: {error}") from None
    path, why_new = Path(settings.path), ""
    if resume and kept is None:
        ended = CheckpointFolder(path).has_ended()
        why_new = "the last run has ended" if ended else "there is no checkpoint yet"
    return CheckpointPlan(
        path,
        settings.every_s,
        settings.on_recovery,
        keys,
        kept,
        why_new,
        settings.url,
        settings.storage_options,
    )


def check_duration(kept: Kept, ticks: int | None) -> None:
    """Raise UsageError if the run to continue is beyond the end of the present duration."""
    tick = kept.checkpoint.tick
    if ticks is not None and tick > ticks:
        raise UsageError(
            f"--resume: error: the checkpoint is of tick {tick:,}, and with this duration the run "
            f"ends at tick {ticks:,}; choose a longer duration, or delete the folder of the "
            "checkpoint to start a new run"
        )


def continued_ledger(path: Path, kept: Kept) -> tuple[Path, bool]:
    """Return the ledger of the run, and whether the killed run had created it.

    It is at its path in the configuration, or where it was: the path may contain the id of a start,
    so that it differs now. Raises UsageError.
    """
    facts = kept.checkpoint.facts
    there = Path(facts.ledger)
    for one in (path, there):
        if run_of(one) == facts.run:
            return one, True
    if not kept.progress.tick and is_unused(path):
        # Killed after the first checkpoint, before the first tick.
        return path, False
    raise UsageError(
        f"--resume: error: the run's ledger {there} is not there any more; move it back, or delete "
        "the folder of the checkpoint to start a new run"
    )


def _lacks_readings(configured: Path | None, checkpoint: Checkpoint) -> str:
    """Return why the run's ledger does not fit a checkpoint; "" if it does."""
    facts = checkpoint.facts
    if not facts.ledger or configured is None:
        return ""
    for path in (configured, Path(facts.ledger)):
        if run_of(path) == facts.run:
            return missing_readings(path, facts.run, checkpoint.tick, facts.readings)
    return ""


def _copy_settings(document: Document) -> tuple[str, Mapping[str, Any]] | None:
    """Return the URL of the copy and its options before they are checked; None without them."""
    table: Any = document.data.get("checkpoint")
    match table:
        case {"url": str(url)} if "://" in url:
            options = table.get("storage_options", {})
            place = url_of_shard(url, document.shard)
            return (place, options) if isinstance(options, Mapping) else None
    return None


def _path_in(document: Document, name: str, settings: type[Settings]) -> Path | None:
    """Return the path in a table before it is checked; None if it is not there, or invalid."""
    table: Any = document.data.get(name)
    if not isinstance(table, dict):
        return None
    own = {"path": table["path"]} if "path" in table else {}
    context = {FOLDER: document.folder, SHARD: document.shard}
    try:
        path = settings.model_validate(own, context=context).path  # type: ignore[attr-defined]
    except ValidationError:
        return None
    return Path(path)
