"""Placeholders in the configuration's strings, and the variables that fill them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from loguru import logger

from gridsim.config.text.masking import SECRET_NAME
from gridsim.errors import UsageError
from gridsim.plugins.trust import writable_by_others
from gridsim.redaction import keep_secret

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


@dataclass(frozen=True, slots=True)
class Filled:
    """A string after its placeholders were filled."""

    text: str
    wholly: bool
    """True if the string in the configuration consists only of placeholders."""
    problems: tuple[str, ...] = ()


def gather(folder: Path) -> dict[str, str]:
    """Return the variables of the environment, and others that it lacks: the credentials that
    systemd gives to a service, and those of the folder's `.env`.

    Values are not expanded, because `$` may be part of a password. Raises UsageError if a file
    cannot be read.
    """
    path = folder / ".env"
    own: dict[str, str | None] = {}
    if path.is_file():
        try:
            own = dotenv_values(path, interpolate=False, encoding="utf-8")
            mode = path.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: cannot be read: {error}") from None
        if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
            logger.warning("{} may be read by other users; chmod 600 {}", path, path)
        if (who := writable_by_others(path)) is not None:
            logger.warning("{} may be changed by other users; chmod o-w {}", who, who)
    given = {name: value for name, value in own.items() if value is not None}
    return {**given, **_credentials(), **os.environ}


def _credentials() -> dict[str, str]:
    """Return the credentials of a service of systemd by name, without the newlines at their end.

    Those whose name is not that of a variable are for others. See systemd.exec(5), LoadCredential.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not os.path.isabs(folder):
        return {}
    found = {}
    try:
        for path in sorted(Path(folder).iterdir()):
            if _NAME.fullmatch(path.name) and path.is_file():
                found[path.name] = secret_text(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the credentials in {folder} cannot be read: {error}") from None
    except ValueError as error:
        raise UsageError(f"the credential {path} {error}") from None
    return found


def secret_text(raw: bytes) -> str:
    """Return the secret in the bytes of a file, without the newlines at its end.

    Raises ValueError, which completes a sentence about the file and shows nothing of it.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text.rstrip("\r\n")


def fill(text: str, environment: Mapping[str, str]) -> Filled | None:
    """Replace `${NAME}` and `${NAME:-default}`; return None if there is no placeholder.

    The default also replaces an empty variable, as in a shell.
    """
    if "${" not in text:
        return None
    problems = []

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name is None:
            problems.append("a placeholder is written ${NAME} or ${NAME:-default}")
            return ""
        found = environment.get(name)
        if found is None and default is None:
            problems.append(
                f"the variable {name} is needed here: set it in the environment or in .env"
            )
            return ""
        if not found:
            return found if default is None and found is not None else default or ""
        if any("\ud800" <= char <= "\udfff" for char in found):
            problems.append(f"the variable {name} is not UTF-8")
            return ""
        if SECRET_NAME.search(name):
            # The setting may be an ordinary text, such as a URL.
            keep_secret(found)
        return found

    filled = _PLACEHOLDER.sub(value, text)
    return Filled(filled, not _PLACEHOLDER.sub("", text), tuple(problems))
