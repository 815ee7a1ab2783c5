"""The identity of plugins: the code that made a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gridsim.plugins.registry import RegisteredPlugin, Registry


def identities_of(registry: Registry, used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the distribution and version, or the file and its hash, of each plugin that is used.

    `used` are kinds and names; the keys are both, such as "fault offline".
    """
    found = {}
    for kind, name in sorted(set(used)):
        entry = registry.find(kind, name)
        if entry is not None:
            found[f"{kind} {name}"] = _identity(entry)
    return found


def _identity(entry: RegisteredPlugin) -> str:
    path = Path(entry.owner)
    if not path.exists():
        return entry.owner
    return f"{path.name} (SHA-256 {hash_of(path)[:16]})"


def hash_of(path: Path) -> str:
    """Return the SHA-256 of the code of a local plugin, a file or a folder. Raises OSError."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
