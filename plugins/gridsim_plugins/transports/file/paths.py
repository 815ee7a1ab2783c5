"""The file of each reading, from a path with placeholders."""

from __future__ import annotations

import os
import stat
from difflib import get_close_matches
from pathlib import Path
from string import Formatter

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Roster, TransportError, compact_stamp, utc_date

PLACEHOLDERS = ("date", "start", "project_id", "der_id", "type")
_OF_A_DER = ("der_id", "type")
_DAY_MS = 86_400_000
_FORBIDDEN = "/\\:" if os.name == "nt" else "/\\"


class PathTemplate:
    """A path with placeholders. Devices that share all values share a target."""

    def __init__(self, template: str, roster: Roster, start_ms: int) -> None:
        """Raise ValueError if the template, or the path with an id, is not a valid path."""
        if "\0" in template:
            raise ValueError("path: must not contain a NUL character")
        pieces = _parse(template)
        self.names = {name for _, name in pieces if name}
        fixed = _before_placeholders(pieces)
        self.folder = os.path.dirname(fixed) or os.curdir
        """The folder that contains all files of the transport."""
        if not os.path.basename(template):
            raise ValueError(f"path: {template!r} names a folder, not a file")
        start = compact_stamp(start_ms)
        known: dict[tuple[str, ...], int] = {}
        devices = (
            range(len(roster)) if self.names - {"date", "start"} else range(min(1, len(roster)))
        )
        place = [
            known.setdefault(_fill(pieces, _values(self.names, roster, device, start)), len(known))
            for device in devices
        ]
        self._targets = list(known)
        self._target_of = np.array(place, np.intp) if len(known) > 1 else None

    @property
    def per_der(self) -> bool:
        """True if DERs of one project may go to different files."""
        return not self.names.isdisjoint(_OF_A_DER)

    def targets(self, device: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the target of each device."""
        if self._target_of is None:
            return np.zeros(len(device), np.intp)
        return self._target_of[device]

    def days(self, timestamp_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the day in the path of each reading; zero if the path has no date."""
        return timestamp_ms // _DAY_MS if "date" in self.names else np.zeros_like(timestamp_ms)

    def path(self, target: int, day: int) -> str:
        """Return the path of a target's file for a day."""
        return utc_date(day * _DAY_MS).join(self._targets[target])

    def paths(self, day: int) -> list[str]:
        """Return the paths of all files for a day."""
        return [self.path(target, day) for target in range(len(self._targets))]

    def resolve(self, path: str) -> str:
        """Return the real path of `path`; raise TransportError if links lead out of the folder."""
        real = os.path.realpath(path)
        if not Path(real).is_relative_to(os.path.realpath(self.folder)):
            raise TransportError(f"{path}: leads out of the folder {self.folder}", permanent=True)
        return real


def unusable(
    template: str, *, gzip: bool, on_existing: str, start_ms: int | None = None
) -> str | None:
    """Return the reason why no file can be written at a path with placeholders, or None.

    With the start of the run, UTC ms, the path of its first day is checked; otherwise, or if a
    placeholder depends on the device, the part before the first placeholder. Nothing is written.
    """
    try:
        pieces = _parse(template)
    except ValueError:
        pieces = []
    if not pieces or "\0" in template:
        return None  # the transport itself reports the invalid template
    base = os.path.dirname(_before_placeholders(pieces)) or os.curdir
    if start_ms is not None:
        known = {"date": utc_date(start_ms), "start": compact_stamp(start_ms)}
        pieces = _without_known(pieces, known)
    path = _before_placeholders(pieces)
    whole = all(not name for _, name in pieces)
    if whole and gzip and not path.endswith(".gz"):
        path += ".gz"
    if whole and (problem := _taken(path, base, on_existing)) is not None:
        return problem
    folder = os.path.dirname(path) or os.curdir
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder) or os.curdir
    if not os.path.isdir(folder):
        return f"{path} cannot be written: {folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be written: no permission to write in {folder}"
    return None


def not_regular(path: str) -> str | None:
    """Return the reason why an existing path is not a file that can be written to, or None."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"cannot be used: {error.strerror or error}"
    if stat.S_ISDIR(mode):
        return "is a folder, not a file"
    if not stat.S_ISREG(mode):
        return "is a device, a pipe or a socket, not a regular file"
    return None


def _taken(path: str, base: str, on_existing: str) -> str | None:
    """Return the reason why a file must not or cannot be written to, or None.

    `base` is the folder that contains all files of the transport.
    """
    if (problem := not_regular(path)) is not None:
        return f"{path} {problem}"
    if on_existing == "fail" and os.path.lexists(path):
        return f'{path} exists, and on_existing is "fail"'
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return f"no permission to write {path}"
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(base)):
        return f"{path} leads out of the folder {base}"
    return None


def _without_known(pieces: list[tuple[str, str]], known: dict[str, str]) -> list[tuple[str, str]]:
    """Return the pieces with the values of known placeholders in place of their names."""
    result, text = [], ""
    for literal, name in pieces:
        text += literal
        if name in known:
            text += known[name]
        else:
            result.append((text, name))
            text = ""
    return [*result, (text, "")] if text else result


def _parse(template: str) -> list[tuple[str, str]]:
    """Return pairs of literal text and the placeholder after it, which is empty at the end."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"path: {error}") from None
    for _, name, spec, conversion in parsed:
        if name is not None and name not in PLACEHOLDERS:
            near = get_close_matches(name, PLACEHOLDERS, 1) or PLACEHOLDERS
            choice = " or ".join(f"{{{known}}}" for known in near)
            raise ValueError(f"path: there is no placeholder {{{name}}}; did you mean {choice}?")
        if spec or conversion:
            raise ValueError(f"path: {{{name}}} takes no format")
    return [(literal, name or "") for literal, name, _, _ in parsed]


def _before_placeholders(pieces: list[tuple[str, str]]) -> str:
    text = ""
    for literal, name in pieces:
        text += literal
        if name:
            break
    return text


def _values(names: set[str], roster: Roster, device: int, start: str) -> dict[str, str]:
    values = {"start": start}
    if "der_id" in names:
        values["der_id"] = _safe("der_id", roster.der_id[device])
    if "type" in names:
        values["type"] = _safe("type", roster.type[device])
    if "project_id" in names:
        values["project_id"] = _safe("project_id", roster.project_id[roster.project[device]])
    return values


def _safe(name: str, value: str) -> str:
    if value in ("", ".", "..") or any(char in _FORBIDDEN or ord(char) < 32 for char in value):
        raise ValueError(f"path: the {name} {value!r} cannot be part of a file name")
    return value


def _fill(pieces: list[tuple[str, str]], values: dict[str, str]) -> tuple[str, ...]:
    """Return the parts of the path, between which the date is inserted."""
    parts = [""]
    for literal, name in pieces:
        parts[-1] += literal
        if name == "date":
            parts.append("")
        elif name:
            parts[-1] += values[name]
    return tuple(parts)
