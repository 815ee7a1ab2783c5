"""The files that hold secrets: `password_file = "/run/secrets/mqtt"` for a setting `password`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, Protocol

from loguru import logger
from pydantic import BaseModel

from gridsim.config.settings.fields import tables_of
from gridsim.config.text.document import Document
from gridsim.config.text.environment import secret_text
from gridsim.config.text.locate import KeyPath
from gridsim.contracts.secret_keys import counterpart, file_keys
from gridsim.contracts.settings import in_folder

_MAX_BYTES: Final = 65_536
# Errors of a path at which there cannot be a file.
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class AddFinding(Protocol):
    def __call__(self, path: KeyPath, message: str) -> object: ...


def with_secrets(
    model: type[BaseModel],
    table: Mapping[str, Any],
    path: KeyPath,
    document: Document,
    add: AddFinding,
) -> tuple[dict[str, Any], dict[KeyPath, KeyPath]]:
    """Return a table with the secrets instead of the files that its keys name.

    Also return the path of each such secret with that of its file's key. Tables inside the table
    are included. `add` takes the problems of the files.
    """
    named = [
        (at, key)
        for kind, own, at in tables_of(model, dict(table), path)
        for key in file_keys(kind)
        if key in own
    ]
    copy = deepcopy(dict(table)) if named else dict(table)
    read: dict[KeyPath, KeyPath] = {}
    for at, key in named:
        own: Any = copy
        for part in at[len(path) :]:
            own = own[part]
        given, name = own.pop(key), counterpart(key)
        if given == "":
            continue
        if document.is_message:
            add((*at, key), f"{key!r} is for a configuration only")
            continue
        if own.get(name, "") != "":
            add((*at, key), f"{name!r} and {key!r} are both set: remove one")
            continue
        read[(*at, name)] = (*at, key)
        # A secret that cannot be read is not missing.
        own[name] = ""
        try:
            own[name] = _read(given, document.folder)
        except FileNotFoundError as error:
            # A variable that holds no path may hold the secret itself.
            is_filled = document.filled.get((*at, key))
            shown = "the file of a variable" if is_filled else error.filename
            add((*at, key), f"{key!r} names {shown}, which does not exist")
        except ValueError as error:
            add((*at, key), f"{key!r} {error}")
    return copy, read


def _read(given: Any, folder: str) -> str:
    """Return the secret in a file.

    Raises FileNotFoundError, and ValueError, which completes a sentence about the key.
    """
    if not isinstance(given, str):
        raise ValueError("must be the path of a file")
    if "\0" in given:
        raise ValueError("must not contain a NUL character")
    path = Path(in_folder(folder, given))
    try:
        # Not blocking: a named pipe without a writer would hang.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"names {path}, which is {_kind(status.st_mode)}, not a file")
            raw = file.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        raise ValueError(f"names {path}, which is a folder, not a file") from None
    except OSError as error:
        if error.errno in _ABSENT:
            raise FileNotFoundError(error.errno, error.strerror, str(path)) from None
        raise ValueError(f"names {path}, which cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"names {path}, which is larger than {_MAX_BYTES:,} bytes")
    try:
        secret = secret_text(raw)
    except ValueError as error:
        raise ValueError(f"names {path}, which {error}") from None
    if not secret:
        raise ValueError(f"names {path}, which is empty")
    if os.name == "posix" and status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("{} may be read by other users; chmod 600 {}", path, path)
    return secret


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a named pipe" if stat.S_ISFIFO(mode) else "a device"
