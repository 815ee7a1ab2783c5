"""Writing a file so that it is there as a whole, or stays as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write, which becomes `path` at the end of the context.

    After an error it is removed, and `path` stays as it was. Raises OSError. A device or a pipe is
    written directly.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(target.suffix, ".gridsim-", target.parent)
    os.close(descriptor)
    try:
        yield Path(name)
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def check_writable(path: Path) -> None:
    """Raise OSError if `whole_file` could not write a file, before the work for it begins."""
    if path.exists() and not path.is_file():
        return
    descriptor, name = tempfile.mkstemp(prefix=".gridsim-", dir=path.resolve().parent)
    os.close(descriptor)
    os.unlink(name)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
