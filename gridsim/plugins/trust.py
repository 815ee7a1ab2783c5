"""Files that other users of the machine may change."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def writable_by_others(path: Path) -> Path | None:
    """Return the file, or the folder that holds it, if every user may change it.

    In a folder with the sticky bit, such as /tmp, only the owner may replace a file.
    """
    if os.name != "posix":
        return None
    try:
        modes = [(one, one.stat().st_mode) for one in (path, path.resolve().parent)]
    except OSError:
        return None
    for one, mode in modes:
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            return one
    return None
