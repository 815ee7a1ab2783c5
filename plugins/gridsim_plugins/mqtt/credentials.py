"""The file with the credentials of each DER or project.

No error shows a field of the file, because it could be a password in the wrong column.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from loguru import logger

from gridsim.api import keep_secret
from gridsim.helpers import is_loopback
from gridsim.helpers.tables import Table, column_of, read_table
from gridsim_plugins.mqtt.certificates import certificate_problems
from gridsim_plugins.mqtt.topics import check_text

if TYPE_CHECKING:
    from gridsim_plugins.mqtt.settings import ConnectionSettings

Owner = Literal["der", "project"]

_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "der_id": ("der_id",),
    "project_id": ("project_id",),
    "username": ("username",),
    "password": ("password",),
    "client_id": ("client_id",),
    "cert_file": ("cert_file", "certfile"),
    "key_file": ("key_file", "keyfile"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one DER or project; an empty text: as the settings say."""

    username: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    cert_file: str = ""
    key_file: str = ""
    line: int = 0
    """The line of the file."""


def read_credentials(path: str, owner: Owner) -> dict[str, Credentials]:
    """Return the credentials of a CSV file by the ids of the DERs or projects.

    Paths in the file are relative to its folder. Raises ValueError, which names the file and,
    where there is one, the line.
    """
    known = [name for names in _COLUMNS.values() for name in names]
    # A user name such as "a" could be a unit.
    table = read_table(path, known, units=False)
    header = table.dialect.header_line
    places = _places(table)
    key = "der_id" if owner == "der" else "project_id"
    if key not in places:
        raise ValueError(f'{path}, line {header}: connections = "{owner}" needs a column {key}')
    if table.footer:
        raise ValueError(f"{path}: the lines at the end do not have {len(table.header)} fields")
    found: dict[str, Credentials] = {}
    for row, line in zip(table.rows, table.lines, strict=True):
        cells = {name: row[place] for name, place in places.items()}
        one = cells[key].strip()
        if not one:
            raise ValueError(f"{path}, line {line}: {key} is empty")
        if one in found:
            raise ValueError(f"{path}, line {line}: {one} is in line {found[one].line} already")
        found[one] = _credentials(cells, path, line)
    return found


def credentials_problems(path: str, owner: Owner) -> Iterator[str]:
    """Yield the problems of a file of credentials and of the certificates that it names."""
    try:
        found = read_credentials(path, owner)
    except ValueError as error:
        yield f"cannot be used: {error}"
        return
    for one in found.values():
        for name, problem in certificate_problems("", one.cert_file, one.key_file):
            yield f"names in line {one.line} a {name} that {problem}"
            return


def check_password_way(settings: ConnectionSettings, name: str) -> None:
    """Raise ValueError, starting with `name`, if a password would be sent unencrypted."""
    local = settings.embedded or is_loopback(settings.host)
    if not (settings.uses_tls or settings.allow_plaintext_password or local):
        raise ValueError(
            f"{name}: it would be sent to {settings.host} unencrypted; "
            'set tls = "on", or allow_plaintext_password = true to permit it'
        )


def warn_if_readable(path: str) -> None:
    """Log a warning if other users may read the file."""
    mode = os.stat(path).st_mode
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("{} may be read by other users; chmod 600 {}", path, path)


def _places(table: Table) -> dict[str, int]:
    """Return the places of the known columns. Raises ValueError if there is another one."""
    where = f"{table.path}, line {table.dialect.header_line}"
    known = ", ".join(_COLUMNS)
    if not table.dialect.found:
        raise ValueError(f"{where}: this is not a header; it may name {known}")
    places: dict[str, int] = {}
    for name, names in _COLUMNS.items():
        try:
            place = column_of(table.header, names)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if place is not None:
            places[name] = place
    for place in range(len(table.header)):
        if place not in places.values():
            raise ValueError(f"{where}: the name of column {place + 1} is not one of {known}")
    return places


def _credentials(cells: Mapping[str, str], path: str, line: int) -> Credentials:
    folder = Path(path).parent
    texts = {
        # A password may begin or end with a space.
        name: text if name == "password" else text.strip()
        for name, text in cells.items()
        if not name.endswith("_id") or name == "client_id"
    }
    if password := texts.get("password"):
        keep_secret(password)
    for name in ("username", "password", "client_id"):
        check_text(texts.get(name, ""), f"{path}, line {line}: {name}", secret=True)
    for name in ("cert_file", "key_file"):
        if texts.get(name):
            texts[name] = str(folder / texts[name])
    if texts.get("key_file") and not texts.get("cert_file"):
        raise ValueError(f"{path}, line {line}: a key_file needs a cert_file")
    return Credentials(**texts, line=line)
