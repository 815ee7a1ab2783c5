"""The inputs that are fuzzed, by name.

An answer is accepted or refused, the latter by an error with a text for people. Any other
exception is a defect.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fuzz.from_programs import checkpoints, commands, exports
from benchmarks.fuzz.from_texts import configurations, events, templates
from benchmarks.fuzz.target import Target
from gridsim.running.plan import find_plugins

SHARES = {
    "configurations": 0.15,
    "events": 0.1,
    "commands": 0.25,
    "templates": 0.25,
    "exports": 0.04,
    "checkpoints": 0.21,
}
"""The inputs, and the part of all cases that each has."""


def make_target(name: str, folder: Path) -> Target:
    """Return an input; `folder` is for its files."""
    match name:
        case "configurations":
            return configurations(find_plugins(None, ()))
        case "events":
            return events(find_plugins(None, ()), folder / "events.toml")
        case "commands":
            return commands(find_plugins(None, ()))
        case "templates":
            return templates()
        case "exports":
            return exports(folder)
    return checkpoints(find_plugins(None, ()))


def folders() -> Iterator[Path]:
    """Yield a folder in memory, if there is one, and remove it afterwards."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
