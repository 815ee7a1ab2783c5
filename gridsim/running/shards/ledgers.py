"""The ledger of a run with shards, merged from the parts that they have written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loguru import logger

from gridsim.contracts.status import RunStatus
from gridsim.ledger import merge_ledgers
from gridsim.running.plan import Plan

_QUICK_BYTES: Final = 10_000_000
"""The size of the parts that are merged in the time that a signal leaves."""


def join_ledgers(plan: Plan, statuses: Sequence[RunStatus], *, hurry: bool) -> None:
    """Merge the parts of the ledger, and remove them if none lacks anything.

    Without a ledger it does nothing. In a hurry large parts stay as they are. Raises UsageError or
    LedgerError, and the parts stay.
    """
    if plan.ledger is None:
        return
    parts = [Path(one.ledger.path) for one in statuses if one.ledger is not None]
    path = plan.ledger.path
    if parts == [path]:
        # The only shard has the whole ledger.
        return
    command = f"gridsim merge {shlex.join(map(str, parts))} -o {shlex.quote(str(path))}"
    size = sum(part.stat().st_size for part in parts if part.exists())
    if hurry and size > _QUICK_BYTES:
        logger.warning("the ledgers of the shards are not merged yet: {}", command)
        return
    try:
        merged = merge_ledgers(parts, path, overwrite=plan.ledger.overwrite)
    except BaseException:
        logger.error("the ledgers of the shards stay as they are: {}", command)
        raise
    for doubt in merged.doubts:
        logger.warning("{}: {}", path, doubt)
    if not merged.complete:
        logger.warning("the ledgers of the shards stay beside it: {}", shlex.join(map(str, parts)))
        return
    for part in parts:
        for name in (part.name, f"{part.name}-wal", f"{part.name}-shm"):
            part.with_name(name).unlink(missing_ok=True)
