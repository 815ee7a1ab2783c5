"""The lines about a reload of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gridsim.contracts.results import Reloaded
from gridsim.text.words import counted

_NAMED: Final = 5


def reload_lines(reloaded: Reloaded) -> Iterator[str]:
    """Yield what a reload has changed, one line each."""
    yield f"configuration reloaded before tick {reloaded.tick:,}: {reloaded.digest[:12]}"
    for ids, kind, what in (
        (reloaded.projects_added, "project", "added"),
        (reloaded.projects_removed, "project", "removed"),
        (reloaded.added, "DER", "added"),
        (reloaded.removed, "DER", "removed"),
        (reloaded.changed, "DER", "restarted with other settings"),
    ):
        if ids:
            yield f"reload: {counted(len(ids), kind)} {what}: {_some(ids)}"
    if reloaded.ended:
        yield f"reload: ended: {_some(reloaded.ended)}"
    if reloaded.started:
        yield f"reload: started: {_some(reloaded.started)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
