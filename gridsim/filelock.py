"""The lock of a file that one run at a time may use."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock_file(descriptor: int) -> bool:
    """Return whether an open file could be locked against other runs, until it is closed.

    True also where the file system has no such locks. SQLite's locks and its readers are not
    affected, because they use other kinds of locks.
    """
    if sys.platform == "win32":
        # A byte of the page that SQLite leaves out for its locks, beside those that it uses.
        os.lseek(descriptor, 0x4000_0400, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:
            return True
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # The file system has no such locks.
        return True
    return True
